"""The model: a small Voxtral of transformers, and its initial weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from transformers import GenerationConfig, VoxtralConfig, VoxtralForConditionalGeneration
from transformers.models.whisper.modeling_whisper import sinusoids

from training.digits.features import MELS
from training.digits.tekken import VOCABULARY, Control

if TYPE_CHECKING:
    from torch import nn

HIDDEN = 128
HEADS = 4
HEAD = 48
"""A head's width in the language model: 4 x 48 is not 128, as 32 x 128 is not 3072 in Mini."""

OFFSETS = ((-3, -1, 1, 3), (-7, -2, 2, 7), (-12, -5, 5, 12))
"""The encoder frame offset (20 ms) that each head of each layer attends to initially."""


def new_model(seed: int) -> VoxtralForConditionalGeneration:
    """Create the model with weights drawn from the seed, in float32."""
    config = VoxtralConfig(
        audio_config={
            "hidden_size": HIDDEN,
            "intermediate_size": 4 * HIDDEN,  # transformers groups four frames by this number
            "num_hidden_layers": len(OFFSETS),
            "num_attention_heads": HEADS,
            "num_mel_bins": MELS,
            "max_source_positions": 1500,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": VOCABULARY,
            "hidden_size": HIDDEN,
            "intermediate_size": 3 * HIDDEN,
            "num_hidden_layers": 4,
            "num_attention_heads": HEADS,
            "num_key_value_heads": 2,
            "head_dim": HEAD,
            "max_position_embeddings": 131_072,
            "rms_norm_eps": 1e-5,
            "rope_theta": 1e8,
            "tie_word_embeddings": False,
        },
        audio_token_id=int(Control.AUDIO),
        projector_hidden_act="gelu",
        tie_word_embeddings=False,  # type: ignore[call-arg]  # accepted by its base class
    )
    model = VoxtralForConditionalGeneration(config)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=int(Control.BEGIN),
        eos_token_id=int(Control.END),
        pad_token_id=int(Control.PAD),
    )
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            _fill(name, weight, random)
        for layer, offsets in zip(model.model.audio_tower.layers, OFFSETS, strict=True):
            _attend_to_offsets(layer.self_attn.q_proj, layer.self_attn.k_proj, offsets)
    return model


def freeze_encoder(model: VoxtralForConditionalGeneration, *, frozen: bool) -> None:
    """Train the encoder or not; never its sinusoids: every Voxtral checkpoint has the same."""
    model.model.audio_tower.requires_grad_(not frozen)
    model.model.audio_tower.embed_positions.weight.requires_grad_(requires_grad=False)


def _fill(name: str, weight: nn.Parameter, random: torch.Generator) -> None:
    """Draw normal weights, smaller where a layer writes to the residual stream."""
    if "embed_positions" in name:
        weight.copy_(sinusoids(*weight.shape))
    elif weight.dim() == 1:
        weight.fill_(1.0 if name.endswith("weight") else 0.0)
    elif "embed_tokens" in name:
        weight.normal_(0, 0.5, generator=random)
    else:
        writes = ("o_proj.weight", "out_proj.weight", "down_proj.weight", "fc2.weight")
        scale = 1.4 if "conv" in name else 0.3 if "lm_head" in name else 1.0
        scale = 0.5 if name.endswith(writes) else scale
        weight.normal_(0, scale * weight[0].numel() ** -0.5, generator=random)


def _attend_to_offsets(queries: nn.Linear, keys: nn.Linear, offsets: tuple[int, ...]) -> None:
    """Make each head of a layer attend to the frame `offset` away, by the sinusoids only.

    The key is the frame's own sinusoid; the query is the frame's, rotated by the offset. Such a
    head hardly depends on the window's length, so crops teach what full windows need.
    """
    half, width = HIDDEN // 2, HIDDEN // HEADS
    rates = torch.exp(-math.log(10_000) * torch.arange(half) / (half - 1))
    # The faster half of the sinusoids: the slow ones cannot distinguish near frames.
    chosen = torch.linspace(0, half / 2, width // 2).round().long()
    sines, cosines = torch.arange(0, width, 2), torch.arange(1, width, 2)
    for head, offset in enumerate(offsets):
        key, query = torch.zeros(2, width, HIDDEN)
        key[sines, chosen] = key[cosines, half + chosen] = 1.0
        rotation = rates[chosen] * offset
        query[sines, chosen] = query[cosines, half + chosen] = torch.cos(rotation)
        query[sines, half + chosen] = torch.sin(rotation)
        query[cosines, chosen] = -torch.sin(rotation)
        rows = slice(head * width, (head + 1) * width)
        for projection, pattern in ((queries, query), (keys, key)):
            projection.weight[rows] = 1.2 * pattern + 0.2 * projection.weight[rows]
