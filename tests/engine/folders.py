"""A folder that looks like a checkpoint until its weights are read, for what is known before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

CONFIG: dict[str, Any] = {
    "model_type": "voxtral",
    "audio_config": {
        "hidden_size": 64,
        "intermediate_size": 256,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_mel_bins": 128,
    },
    "text_config": {
        "hidden_size": 96,
        "intermediate_size": 160,
        "num_hidden_layers": 1,
        "head_dim": 32,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 4096,
        "max_position_embeddings": 4096,
        "rope_theta": 1e8,
        "rms_norm_eps": 1e-5,
    },
}


def weightless(folder: Path) -> Path:
    """Make the folder. Loading what is in it fails."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    (folder / "tekken.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"no weights")
    return folder
