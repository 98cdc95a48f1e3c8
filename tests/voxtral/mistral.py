"""The same weights in Mistral's layout: other names, and other pairs of rotary channels."""

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.voxtral.checkpoints import HEAD_DIM

NAMES = {
    r"language_model\.model\.embed_tokens": "mm_whisper_embeddings.tok_embeddings",
    r"language_model\.lm_head": "output",
    r"language_model\.model\.": "",
    r"audio_tower\.conv1": "mm_whisper_embeddings.whisper_encoder.conv_layers.0",
    r"audio_tower\.conv2": "mm_whisper_embeddings.whisper_encoder.conv_layers.1",
    r"audio_tower\.layer_norm": "mm_whisper_embeddings.whisper_encoder.transformer.norm",
    r"audio_tower\.": "mm_whisper_embeddings.whisper_encoder.transformer.",
    r"multi_modal_projector\.linear_1": "mm_whisper_embeddings.audio_language_projection.0",
    r"multi_modal_projector\.linear_2": "mm_whisper_embeddings.audio_language_projection.2",
    r"self_attn\.(out|o)_proj": "attention.wo",
    r"self_attn\.([qkv])_proj": r"attention.w\1",
    r"\b(input_layernorm|self_attn_layer_norm)": "attention_norm",
    r"\b(post_attention_layernorm|final_layer_norm)": "ffn_norm",
    r"mlp\.gate_proj|\bfc1": "feed_forward.w1",
    r"mlp\.down_proj|\bfc2": "feed_forward.w2",
    r"mlp\.up_proj": "feed_forward.w3",
}
"""Replacements from the names of one layout to those of the other, applied in this order."""


ROTATED = re.compile(r"language_model\..*\.[qk]_proj\.weight")


def save_mistral(hf: Path, folder: Path) -> Path:
    """Write the same weights in Mistral's layout: params.json and consolidated.safetensors."""
    folder.mkdir(parents=True)
    weights = load_file(hf / "model.safetensors")
    save_file(mistral_weights(weights), folder / "consolidated.safetensors")
    config = json.loads((hf / "config.json").read_text("utf-8"))
    (folder / "params.json").write_text(json.dumps(mistral_params(config)), "utf-8")
    (folder / "tekken.json").write_bytes((hf / "tekken.json").read_bytes())
    return folder


def mistral_weights(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the weights, and interleave the pairs of the decoder's queries and keys."""
    renamed = {}
    for name, weight in weights.items():
        if name == "audio_tower.embed_positions.weight":
            continue  # computed at loading
        mistral = name
        for pattern, replacement in NAMES.items():
            mistral = re.sub(pattern, replacement, mistral)
        renamed[mistral] = interleaved(weight) if ROTATED.match(name) else weight
    return renamed


def interleaved(rows: torch.Tensor) -> torch.Tensor:
    """Reorder the channel pairs of each head from (j, j + d/2) to (2j, 2j + 1)."""
    heads = rows.view(-1, 2, HEAD_DIM // 2, rows.shape[1])
    return heads.transpose(1, 2).reshape(rows.shape).contiguous()


def mistral_params(config: dict[str, Any]) -> dict[str, Any]:
    """Return params.json for a config.json of the newer format."""
    audio, text = config["audio_config"], config["text_config"]
    encoder = {
        "audio_encoding_args": {
            "sampling_rate": 16_000,
            "num_mel_bins": audio["num_mel_bins"],
            "hop_length": 160,
            "window_size": 400,
        },
        "dim": audio["hidden_size"],
        "n_layers": audio["num_hidden_layers"],
        "head_dim": audio["hidden_size"] // audio["num_attention_heads"],
        "hidden_dim": audio["intermediate_size"],
        "n_heads": audio["num_attention_heads"],
        "vocab_size": audio["vocab_size"],
        "max_source_positions": audio["max_source_positions"],
    }
    whisper = {"encoder_args": encoder, "downsample_args": {"downsample_factor": 4}}
    return {
        "dim": text["hidden_size"],
        "n_layers": text["num_hidden_layers"],
        "head_dim": text["head_dim"],
        "hidden_dim": text["intermediate_size"],
        "n_heads": text["num_attention_heads"],
        "n_kv_heads": text["num_key_value_heads"],
        "rope_theta": text["rope_parameters"]["rope_theta"],
        "norm_eps": text["rms_norm_eps"],
        "vocab_size": text["vocab_size"],
        "max_seq_len": 32_768,
        "multimodal": {"whisper_model_args": whisper},
    }
