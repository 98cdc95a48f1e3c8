"""Tiny random Voxtral checkpoints, in each layout and in both: what `Checkpoint.open` takes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from voxgate.voxtral.checkpoint.config import VoxtralConfig
from voxgate.voxtral.checkpoint.directory import Layout
from voxgate.voxtral.checkpoint.weight_names import POSITIONS_PARAMETER, file_tensor_name
from voxgate.voxtral.network import Network

WIDTH, LAYERS = 48, 2


def hf_config(vocabulary: int = 512) -> dict[str, Any]:
    return {
        "model_type": "voxtral",
        "projector_hidden_act": "gelu",
        "audio_token_id": 24,
        "audio_config": {
            "hidden_size": 32,
            "intermediate_size": 128,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": 2,
            "num_mel_bins": 128,
        },
        "text_config": {
            "hidden_size": WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "intermediate_size": 64,
            "vocab_size": vocabulary,
            "max_position_embeddings": 4096,
            "rope_theta": 1e8,
            "rms_norm_eps": 1e-5,
        },
    }


def mistral_params(vocabulary: int = 512) -> dict[str, Any]:
    encoder = {
        "audio_encoding_args": {"num_mel_bins": 128},
        "dim": 32,
        "n_layers": LAYERS,
        "n_heads": 2,
        "hidden_dim": 128,
    }
    return {
        "dim": WIDTH,
        "n_layers": LAYERS,
        "n_heads": 4,
        "n_kv_heads": 2,
        "head_dim": 16,
        "hidden_dim": 64,
        "vocab_size": vocabulary,
        "rope_theta": 1e8,
        "norm_eps": 1e-5,
        "multimodal": {
            "whisper_model_args": {
                "encoder_args": encoder,
                "downsample_args": {"downsample_factor": 4},
            }
        },
    }


def tensors(layout: Layout, vocabulary: int = 512, seed: int = 1) -> dict[str, torch.Tensor]:
    """Every weight of the model by its name on disk, drawn anew from the seed."""
    dice = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        network = Network(VoxtralConfig.from_hf(hf_config(vocabulary)))
    found = {}
    for parameter, target in network.named_parameters():
        name = file_tensor_name(parameter, layout)
        if name is not None:
            kind = torch.float32 if parameter == POSITIONS_PARAMETER else torch.bfloat16
            found[name] = torch.randn(target.shape, generator=dice).to(kind)
    return found


def write_hf(
    folder: Path,
    *,
    vocabulary: int = 512,
    seed: int = 1,
    shards: int = 2,
    config: Callable[[dict[str, Any]], object] = id,
) -> Path:
    """config.json, shards with their index, and the small files of the published repositories."""
    folder.mkdir(parents=True, exist_ok=True)
    table = hf_config(vocabulary)
    config(table)
    (folder / "config.json").write_text(json.dumps(table), "utf-8")
    weights = tensors("hf", vocabulary, seed)
    where: dict[str, str] = {}
    names = sorted(weights, key=lambda name: (len(weights[name].shape) > 1, name))
    for number in range(shards):
        file = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        part = {name: weights[name] for name in names[number::shards]}
        save_file(part, folder / file)
        where |= dict.fromkeys(part, file)
    index = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    (folder / "generation_config.json").write_text('{"eos_token_id": 2}', "utf-8")
    (folder / "preprocessor_config.json").write_text('{"feature_size": 128}', "utf-8")
    return _with_tekken(folder)


def write_mistral(folder: Path, *, vocabulary: int = 512, seed: int = 1) -> Path:
    """params.json and consolidated.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.json").write_text(json.dumps(mistral_params(vocabulary)), "utf-8")
    save_file(tensors("mistral", vocabulary, seed), folder / "consolidated.safetensors")
    return _with_tekken(folder)


def _with_tekken(folder: Path) -> Path:
    (folder / "tekken.json").write_text(json.dumps({"type": "Tekken", "vocab": []}), "utf-8")
    return folder
