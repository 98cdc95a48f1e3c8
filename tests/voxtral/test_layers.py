"""Rotary positions against transformers, up to the longest window."""

from typing import Any

import torch

from tests.voxtral.reference import transformers
from voxgate.voxtral.layers import RotaryEmbedding

llama: Any = transformers.models.llama.modeling_llama

HEAD_DIM = 128
THETA = 1e8


def reference(positions: torch.Tensor) -> Any:
    """Cosines and sines [slots, positions, head_dim]."""
    rope = {"rope_theta": THETA, "rope_type": "default"}
    config = transformers.LlamaConfig(
        head_dim=HEAD_DIM, rope_parameters=rope, max_position_embeddings=131_072
    )
    return llama.LlamaRotaryEmbedding(config)(torch.zeros(1), positions)


def test_rotations_equal_the_references_at_every_position() -> None:
    positions = torch.stack([torch.arange(32_768), torch.arange(5, 32_773)])
    cos, sin = reference(positions)
    ours = RotaryEmbedding(positions, HEAD_DIM, THETA, torch.float32)
    assert (ours.cos[:, 0] - cos[..., : HEAD_DIM // 2]).abs().max() <= 1e-6
    assert (ours.sin[:, 0] - sin[..., : HEAD_DIM // 2]).abs().max() <= 1e-6


def test_channels_are_paired_by_halves() -> None:
    positions = torch.tensor([[3, 11]])
    x = torch.randn(1, 4, 2, HEAD_DIM, generator=torch.Generator().manual_seed(2))
    theirs, _ = llama.apply_rotary_pos_emb(x, x, *reference(positions))
    turned = RotaryEmbedding(positions, HEAD_DIM, THETA, torch.float32).rotate(x)
    assert (turned - theirs).abs().max() <= 1e-5
