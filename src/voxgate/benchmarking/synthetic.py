"""A checkpoint of Voxtral Mini's full shape whose weights are zeros, in a sparse file.

It recognizes nothing, but takes as long as a trained one: no product depends on the values. The
file has 9.4 GB by its header and takes some kilobytes of disk.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import mistral_common
import torch

from voxgate.voxtral.checkpoint.config import VoxtralConfig
from voxgate.voxtral.checkpoint.directory import CONFIG_FILES, SINGLE_FILE, TOKENIZER_FILE
from voxgate.voxtral.checkpoint.weight_names import file_tensor_name
from voxgate.voxtral.network import Network

MARKER = ".made-for-a-benchmark"  # in the folder of a checkpoint that is deleted after a benchmark

TEXT_TOKENS = 130_072
CONTROL_TOKENS = {1: "<s>", 2: "</s>", 3: "[INST]", 4: "[/INST]", 11: "<pad>", 24: "[AUDIO]",
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
DECODERS = {
    "mini": MINI,
    "small": SMALL,
    "short": MINI | {"num_hidden_layers": 4},
    "tiny": TINY,
}
"""Published dimensions (Hugging Face, 2507). The others have Mini's encoder and vocabulary: `short`
has 4 of its 30 layers, and `tiny` a tiny decoder.
"""


def synthetic_config(folder: Path, shape: str) -> VoxtralConfig:
    """Write the configuration and the tokenizer in Hugging Face's layout. Raises `OSError`."""
    config: dict[str, Any] = {
        "architectures": ["VoxtralForConditionalGeneration"], "model_type": "voxtral",
        "audio_config": ENCODER, "text_config": DECODERS[shape], "audio_token_id": 24,
        "projector_hidden_act": "gelu", "torch_dtype": "bfloat16",
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILES["hf"]).write_text(json.dumps(config, indent=2))
    (folder / TOKENIZER_FILE).write_text(json.dumps(_tokenizer()))
    return VoxtralConfig.from_hf(config)


def write_synthetic(folder: Path, shape: str = "mini") -> None:
    """Write a whole checkpoint. Raises `OSError`."""
    with torch.device("meta"):
        network = Network(synthetic_config(folder, shape))
    header, end = dict[str, dict[str, Any]](), 0
    for parameter, target in network.named_parameters():
        begin, end = end, end + 2 * math.prod(target.shape)
        header[file_tensor_name(parameter, "hf") or parameter] = {
            "dtype": "BF16", "shape": [*target.shape], "data_offsets": [begin, end],
        }  # fmt: skip
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / SINGLE_FILE).write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(folder / SINGLE_FILE, 8 + len(text) + end)


def _tokenizer() -> dict[str, Any]:
    """Return the published text tokens, which mistral-common contains, and control tokens."""
    source = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
    published = json.loads(source.read_bytes())
    config = published["config"] | {
        "version": "v7",
        "num_vocab_tokens": TEXT_TOKENS,
        "default_vocab_size": TEXT_TOKENS + 1000,
    }
    control = [
        {
            "rank": rank,
            "token_str": CONTROL_TOKENS.get(rank, f"<SPECIAL_{rank}>"),
            "is_control": True,
        }
        for rank in range(1000)
    ]
    audio = {
        "sampling_rate": 16_000,
        "frame_rate": 12.5,
        "chunk_length_s": 30.0,
        "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
    }
    return {
        "config": config,
        "vocab": published["vocab"][:TEXT_TOKENS],
        "special_tokens": control,
        "audio": audio,
    }
