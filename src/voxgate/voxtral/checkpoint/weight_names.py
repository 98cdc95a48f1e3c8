"""The name of each parameter in the files of each layout (voxtral-model.md B.2).

The keys are module paths of `Network`, with `*` for a layer's number. The suffixes `.weight` and
`.bias` are the same in both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxgate.voxtral.checkpoint.directory import Layout

HF_NAMES = {
    "encoder.conv1": "audio_tower.conv1",
    "encoder.conv2": "audio_tower.conv2",
    "encoder.positions": "audio_tower.embed_positions.weight",
    "encoder.layers.*.attention_norm": "audio_tower.layers.*.self_attn_layer_norm",
    "encoder.layers.*.attention.qkv.q": "audio_tower.layers.*.self_attn.q_proj",
    "encoder.layers.*.attention.qkv.k": "audio_tower.layers.*.self_attn.k_proj",
    "encoder.layers.*.attention.qkv.v": "audio_tower.layers.*.self_attn.v_proj",
    "encoder.layers.*.attention.out": "audio_tower.layers.*.self_attn.out_proj",
    "encoder.layers.*.ffn_norm": "audio_tower.layers.*.final_layer_norm",
    "encoder.layers.*.up": "audio_tower.layers.*.fc1",
    "encoder.layers.*.down": "audio_tower.layers.*.fc2",
    "encoder.norm": "audio_tower.layer_norm",
    "projector.linear1": "multi_modal_projector.linear_1",
    "projector.linear2": "multi_modal_projector.linear_2",
    "decoder.embeddings": "language_model.model.embed_tokens",
    "decoder.layers.*.attention_norm": "language_model.model.layers.*.input_layernorm",
    "decoder.layers.*.attention.qkv.q": "language_model.model.layers.*.self_attn.q_proj",
    "decoder.layers.*.attention.qkv.k": "language_model.model.layers.*.self_attn.k_proj",
    "decoder.layers.*.attention.qkv.v": "language_model.model.layers.*.self_attn.v_proj",
    "decoder.layers.*.attention.out": "language_model.model.layers.*.self_attn.o_proj",
    "decoder.layers.*.ffn_norm": "language_model.model.layers.*.post_attention_layernorm",
    "decoder.layers.*.gate_up.gate": "language_model.model.layers.*.mlp.gate_proj",
    "decoder.layers.*.gate_up.up": "language_model.model.layers.*.mlp.up_proj",
    "decoder.layers.*.down": "language_model.model.layers.*.mlp.down_proj",
    "decoder.norm": "language_model.model.norm",
    "decoder.head": "language_model.lm_head",
}

_WHISPER = "mm_whisper_embeddings.whisper_encoder"
_LAYER = f"{_WHISPER}.transformer.layers.*"

MISTRAL_NAMES = {
    "encoder.conv1": f"{_WHISPER}.conv_layers.0",
    "encoder.conv2": f"{_WHISPER}.conv_layers.1",
    "encoder.layers.*.attention_norm": f"{_LAYER}.attention_norm",
    "encoder.layers.*.attention.qkv.q": f"{_LAYER}.attention.wq",
    "encoder.layers.*.attention.qkv.k": f"{_LAYER}.attention.wk",
    "encoder.layers.*.attention.qkv.v": f"{_LAYER}.attention.wv",
    "encoder.layers.*.attention.out": f"{_LAYER}.attention.wo",
    "encoder.layers.*.ffn_norm": f"{_LAYER}.ffn_norm",
    "encoder.layers.*.up": f"{_LAYER}.feed_forward.w1",
    "encoder.layers.*.down": f"{_LAYER}.feed_forward.w2",
    "encoder.norm": f"{_WHISPER}.transformer.norm",
    "projector.linear1": "mm_whisper_embeddings.audio_language_projection.0",
    "projector.linear2": "mm_whisper_embeddings.audio_language_projection.2",
    "decoder.embeddings": "mm_whisper_embeddings.tok_embeddings",
    "decoder.layers.*.attention_norm": "layers.*.attention_norm",
    "decoder.layers.*.attention.qkv.q": "layers.*.attention.wq",
    "decoder.layers.*.attention.qkv.k": "layers.*.attention.wk",
    "decoder.layers.*.attention.qkv.v": "layers.*.attention.wv",
    "decoder.layers.*.attention.out": "layers.*.attention.wo",
    "decoder.layers.*.ffn_norm": "layers.*.ffn_norm",
    "decoder.layers.*.gate_up.gate": "layers.*.feed_forward.w1",
    "decoder.layers.*.gate_up.up": "layers.*.feed_forward.w3",
    "decoder.layers.*.down": "layers.*.feed_forward.w2",
    "decoder.norm": "norm",
    "decoder.head": "output",
}

LAYOUTS: dict[Layout, dict[str, str]] = {"hf": HF_NAMES, "mistral": MISTRAL_NAMES}

OLDER_NAMES = {"mm_whisper_embeddings.tok_embeddings.weight": "tok_embeddings.weight"}
"""By the current name: the name in older files of Mistral's layout."""

POSITIONS_PARAMETER = "encoder.positions"
HEAD_PARAMETER = "decoder.head.weight"

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
_SUFFIX = re.compile(r"\.(?:weight|bias)$")
_MODULES: dict[Layout, dict[str, str]] = {
    layout: {_SUFFIX.sub("", name): module for module, name in table.items()}
    for layout, table in LAYOUTS.items()
}


def file_tensor_name(parameter: str, layout: Layout) -> str | None:
    """Return a parameter's name in the files.

    None for the positions in Mistral's layout, which are computed instead.
    """
    suffix = _SUFFIX.search(parameter)
    module = parameter[: suffix.start()] if suffix else parameter
    number = _NUMBER.search(module)
    name = LAYOUTS[layout].get(_NUMBER.sub("*", module))
    if name is None:
        return None
    return name.replace("*", number.group() if number else "") + (suffix.group() if suffix else "")


def parent_module(name: str, layout: Layout) -> str:
    """Return the module path, with `*` for the layer, of a tensor in a file.

    An empty string for a tensor that no module has.
    """
    pattern = _NUMBER.sub("*", _SUFFIX.sub("", OLDER_NAMES.get(name, name)))
    return _MODULES[layout].get(pattern, "")


def is_interleaved(parameter: str, layout: Layout) -> bool:
    """Return whether a weight's rows pair the rotary channels (2j, 2j + 1).

    `Network` pairs (j, j + head_dim / 2), so such rows must be reordered.
    """
    suffixes = (".qkv.q.weight", ".qkv.k.weight")
    return layout == "mistral" and parameter.startswith("decoder.") and parameter.endswith(suffixes)
