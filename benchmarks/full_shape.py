"""A checkpoint of random weights in the full shape of a published model, on disk.

The numbers of Voxtral Mini 3B and Small 24B (their configurations on Hugging Face, 2507). Weights
are drawn and written shard by shard, so that making one needs far less memory than running it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import mistral_common
import torch
from safetensors.torch import save_file

from voxgate.voxtral.config import VoxtralConfig
from voxgate.voxtral.encoder import sinusoids
from voxgate.voxtral.names import POSITIONS, in_file
from voxgate.voxtral.network import Network

SHARD_BYTES = 2 * 2**30
TEXT_TOKENS = 130_072
CONTROL = {1: "<s>", 2: "</s>", 3: "[INST]", 4: "[/INST]", 11: "<pad>", 24: "[AUDIO]",
           25: "[BEGIN_AUDIO]", 34: "[TRANSCRIBE]"}  # fmt: skip

ENCODER = {
    "model_type": "voxtral_encoder", "hidden_size": 1280, "intermediate_size": 5120,
    "num_hidden_layers": 32, "num_attention_heads": 20, "num_mel_bins": 128,
    "max_source_positions": 1500,
}  # fmt: skip
MINI = {
    "model_type": "llama", "hidden_size": 3072, "intermediate_size": 8192,
    "num_hidden_layers": 30, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    "vocab_size": 131_072, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5,
    "rope_theta": 1e8, "tie_word_embeddings": False,
}  # fmt: skip
TINY = MINI | {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2}
SMALL = MINI | {"hidden_size": 5120, "intermediate_size": 32_768, "num_hidden_layers": 40}
DECODERS = {"mini": MINI, "small": SMALL, "tiny": TINY}
"""`tiny` has Mini's encoder and vocabulary before a toy decoder: to try the benchmark itself."""


def write(folder: Path, shape: str = "mini", seed: int = 0) -> int:
    """Write the checkpoint in Hugging Face's layout; its weights' bytes, in bf16."""
    config: dict[str, Any] = {
        "architectures": ["VoxtralForConditionalGeneration"], "model_type": "voxtral",
        "audio_config": ENCODER, "text_config": DECODERS[shape], "audio_token_id": 24,
        "projector_hidden_act": "gelu", "torch_dtype": "bfloat16",
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "tekken.json").write_text(json.dumps(_vocabulary()))
    return _weights(folder, VoxtralConfig.from_hf(config), seed)


def _weights(folder: Path, config: VoxtralConfig, seed: int) -> int:
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        parameters = list(Network(config).named_parameters())
    places: dict[str, str] = {}
    total = 0
    while parameters:
        file = f"model-{len(set(places.values())) + 1:05d}.safetensors"
        shard: dict[str, torch.Tensor] = {}
        while parameters and sum(tensor.nbytes for tensor in shard.values()) < SHARD_BYTES:
            parameter, target = parameters.pop(0)
            shard[in_file(parameter, "hf") or parameter] = _drawn(
                parameter, target.shape, generator
            )
        save_file(shard, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(shard, file)
        total += sum(tensor.nbytes for tensor in shard.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return total


def _drawn(parameter: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Gains of one, no biases, and matrices that keep the size of what goes through them."""
    if parameter == POSITIONS:
        return sinusoids(*shape).bfloat16()
    if len(shape) == 1:
        value = 1.0 if parameter.endswith("weight") else 0.0
        return torch.full(shape, value, dtype=torch.bfloat16)
    fan_in = math.prod(shape[1:])
    drawn = torch.empty(shape, dtype=torch.bfloat16)
    return drawn.normal_(0.0, fan_in**-0.5, generator=generator)


def _vocabulary() -> dict[str, Any]:
    """The published vocabulary's text tokens, which mistral-common carries, with control tokens."""
    source = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
    given = json.loads(source.read_bytes())
    config = given["config"] | {
        "version": "v7",
        "num_vocab_tokens": TEXT_TOKENS,
        "default_vocab_size": TEXT_TOKENS + 1000,
    }
    control = [
        {"rank": rank, "token_str": CONTROL.get(rank, f"<SPECIAL_{rank}>"), "is_control": True}
        for rank in range(1000)
    ]
    sound = {
        "sampling_rate": 16_000,
        "frame_rate": 12.5,
        "chunk_length_s": 30.0,
        "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
    }
    return {
        "config": config,
        "vocab": given["vocab"][:TEXT_TOKENS],
        "special_tokens": control,
        "audio": sound,
    }
