"""A tiny Voxtral checkpoint, the same on every machine: no random numbers, fixed times."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save_file

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = "voxtral-digits"
WIDTH, HEADS, MELS, POSITIONS = 8, 2, 128, 1500  # of the encoder
SPECIALS, BYTES = 1000, 300  # tokens of the small vocabulary
MTIME_NS = 1_700_000_000_000_000_000


def write(folder: Path, *, width: int = 32, texts: int = BYTES, tekken: Path | None = None) -> Path:
    """Write it in Hugging Face's layout; with `tekken`, a tokenizer cut from that one."""
    folder.mkdir(parents=True)
    vocabulary = SPECIALS + texts if tekken else texts
    config = {
        "model_type": "voxtral",
        "projector_hidden_act": "gelu",
        "audio_token_id": 24,
        "audio_config": {
            "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": 1,
            "num_attention_heads": HEADS, "num_mel_bins": MELS,
        },
        "text_config": {
            "hidden_size": width, "intermediate_size": width, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
            "vocab_size": vocabulary, "max_position_embeddings": 4096, "rope_theta": 1e8,
            "rms_norm_eps": 1e-5,
        },
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "tekken.json").write_text(json.dumps(_tekken(tekken, texts)), "utf-8")
    shapes = {**_encoder(), **_decoder(width, vocabulary)}
    save_file({name: _values(n, shape) for n, (name, shape) in enumerate(shapes.items())},
              folder / "model.safetensors")  # fmt: skip
    for path in folder.iterdir():
        os.utime(path, ns=(MTIME_NS, MTIME_NS))
    return folder


def _tekken(source: Path | None, texts: int) -> dict[str, Any]:
    if source is None:
        return {"type": "Tekken", "vocab": []}
    table: dict[str, Any] = json.loads(source.read_text("utf-8"))
    table["vocab"] = table["vocab"][:texts]
    table["config"] |= {"num_vocab_tokens": texts, "default_vocab_size": SPECIALS + texts}
    return table


def _values(number: int, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float16]]:
    """Numbers between -0.5 and 0.5 in a short pattern, which compresses well."""
    count = int(np.prod(shape))
    pattern = (np.arange(64) * 37 + number * 11) % 61 / 61 - 0.5
    return np.resize(pattern, count).reshape(shape).astype(np.float16)


def _encoder() -> dict[str, tuple[int, ...]]:
    layer = "audio_tower.layers.0"
    square: tuple[int, ...] = (WIDTH, WIDTH)
    shapes = {
        "audio_tower.conv1.weight": (WIDTH, MELS, 3),
        "audio_tower.conv2.weight": (WIDTH, WIDTH, 3),
        "audio_tower.embed_positions.weight": (POSITIONS, WIDTH),
        f"{layer}.self_attn.k_proj.weight": square,
        f"{layer}.fc1.weight": (4 * WIDTH, WIDTH),
        f"{layer}.fc1.bias": (4 * WIDTH,),
        f"{layer}.fc2.weight": (WIDTH, 4 * WIDTH),
        **{f"{layer}.self_attn.{name}_proj.weight": square for name in ("q", "v", "out")},
    }
    norms = (f"{layer}.self_attn_layer_norm", f"{layer}.final_layer_norm", "audio_tower.layer_norm")
    biased = ("audio_tower.conv1", "audio_tower.conv2", f"{layer}.fc2", *norms,
              *(f"{layer}.self_attn.{name}_proj" for name in ("q", "v", "out")))  # fmt: skip
    vectors = [*(f"{name}.bias" for name in biased), *(f"{name}.weight" for name in norms)]
    return {**shapes, **dict.fromkeys(vectors, (WIDTH,))}


def _decoder(width: int, vocabulary: int) -> dict[str, tuple[int, ...]]:
    model = "language_model.model"
    layer = f"{model}.layers.0"
    return {
        "multi_modal_projector.linear_1.weight": (width, 4 * WIDTH),
        "multi_modal_projector.linear_2.weight": (width, width),
        f"{model}.embed_tokens.weight": (vocabulary, width),
        f"{layer}.input_layernorm.weight": (width,),
        f"{layer}.self_attn.q_proj.weight": (32, width),
        f"{layer}.self_attn.k_proj.weight": (16, width),
        f"{layer}.self_attn.v_proj.weight": (16, width),
        f"{layer}.self_attn.o_proj.weight": (width, 32),
        f"{layer}.post_attention_layernorm.weight": (width,),
        f"{layer}.mlp.gate_proj.weight": (width, width),
        f"{layer}.mlp.up_proj.weight": (width, width),
        f"{layer}.mlp.down_proj.weight": (width, width),
        f"{model}.norm.weight": (width,),
        "language_model.lm_head.weight": (vocabulary, width),
    }
