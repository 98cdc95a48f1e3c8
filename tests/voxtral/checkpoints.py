"""Tiny random Voxtral checkpoints, and changes to them.

Nothing about them is trivial, because defaults hide bugs: norms are not one, biases are not zero,
the attention of the decoder is wider than the decoder, and it has fewer heads for keys.
"""

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.voxtral.reference import transformers
from tests.voxtral.vocabulary import CONTROLS, TINY_TEXTS

HEADS, KV_HEADS, HEAD_DIM = 4, 2, 32


def random_model(
    texts: int = TINY_TEXTS, width: int = 96, layers: int = 2, rope_theta: float = 1e8
) -> Any:
    """Return the Voxtral of transformers with random weights, the same in every call."""
    audio = {
        "hidden_size": 64,
        "intermediate_size": 4 * 64,  # four frames make one embedding
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_mel_bins": 128,
        "max_source_positions": 1500,
    }
    text = {
        "model_type": "llama",
        "vocab_size": texts + CONTROLS,
        "hidden_size": width,
        "intermediate_size": 160,
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "max_position_embeddings": 131_072,
        "rms_norm_eps": 1e-5,
        "rope_theta": rope_theta,
        "tie_word_embeddings": False,
    }
    config = transformers.VoxtralConfig(
        audio_config=audio, text_config=text, audio_token_id=24, tie_word_embeddings=False
    )
    model: Any = transformers.VoxtralForConditionalGeneration(config).eval()
    fill(model)
    model.generation_config = transformers.GenerationConfig(
        bos_token_id=1, eos_token_id=2, pad_token_id=11
    )
    return model


@torch.no_grad()
def fill(model: Any) -> None:
    """Draw every weight. The table of positions is Whisper's."""
    dice = torch.Generator().manual_seed(1)
    for name, weight in model.named_parameters():
        drawn = torch.randn(weight.shape, generator=dice)
        if "embed_positions" in name:
            weight.copy_(transformers.models.whisper.modeling_whisper.sinusoids(*weight.shape))
        elif weight.dim() == 1:
            weight.copy_(0.1 * drawn + (1 if name.endswith("norm.weight") else 0))
        elif "embed_tokens" in name:
            weight.copy_(drawn)
        else:
            # Sharp attention, not nearly uniform.
            sharp = 3.0 if "q_proj" in name else 1.0
            weight.copy_(sharp * drawn / weight[0].numel() ** 0.5)


def save_hf(model: Any, tekken: Path, folder: Path, shard: str = "1GB") -> Path:
    """Write Hugging Face's layout: config.json and shards of at most `shard`, with an index."""
    model.save_pretrained(folder, max_shard_size=shard)
    transformers.VoxtralProcessor(
        feature_extractor=transformers.WhisperFeatureExtractor(feature_size=128),
        tokenizer=transformers.MistralCommonBackend.from_pretrained(tekken.parent),
    ).save_pretrained(folder)
    return folder


def spell_as_before(config: dict[str, Any]) -> None:
    """Rewrite a config.json in the format of transformers 4, as in the published checkpoints."""
    config["torch_dtype"] = config.pop("dtype")
    rope = config["text_config"].pop("rope_parameters")
    config["text_config"] |= {"rope_theta": rope["rope_theta"], "rope_scaling": None}
    config.pop("tie_word_embeddings")
    config["text_config"].pop("tie_word_embeddings")


def altered(
    source: Path,
    target: Path,
    weights: Callable[[dict[str, torch.Tensor]], object] = id,
    config: Callable[[dict[str, Any]], object] = id,
) -> Path:
    """Copy a checkpoint of one file, changed by the given functions."""
    shutil.copytree(source, target)
    (file,) = target.glob("*.safetensors")
    tensors = load_file(file)
    weights(tensors)
    save_file(tensors, file)
    path = next(p for p in (target / "config.json", target / "params.json") if p.exists())
    table = json.loads(path.read_text("utf-8"))
    config(table)
    path.write_text(json.dumps(table), "utf-8")
    return target


def write_sparse(file: Path, shapes: dict[str, list[int]]) -> None:
    """Write a safetensors file of bfloat16 zeros, sparse on disk."""
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(file, 8 + len(text) + end)
