"""`RMSNorm`: rows brought to one size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral.kernels import dispatch

if TYPE_CHECKING:
    from torch import Tensor


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) * weight, in float32 first (Zhang & Sennrich, 1910.07467)."""

    fused = False  # whether a kernel may take over, whose last bits differ: see `Network.fuse`

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] to the same."""
        if self.fused and dispatch.supports_elementwise(x):
            normed: Tensor = dispatch.native_ops().rms_norm(x, self.weight, self.eps)
            return normed
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * scaled.to(x.dtype)


# MERGED voxtral.gate
# `SwiGLUGate`: the middle of SwiGLU (Shazeer, 2002.05202).


class SwiGLUGate(nn.Module):
    """silu(gate) * up. It has no parameters."""

    fused = False  # whether a kernel may take over, whose last bits differ: see `Network.fuse`

    def forward(self, gate: Tensor, up: Tensor) -> Tensor:
        """[..., width] twice to the same."""
        if self.fused and dispatch.supports_elementwise(gate):
            gated: Tensor = dispatch.native_ops().silu_mul(gate, up)
            return gated
        return F.silu(gate) * up


# MERGED voxtral.rope
# Rotary positions (Su et al., 2104.09864): each pair of channels turns by an angle of its own.
#
# Pairs are (j, j + head_dim / 2), as in Hugging Face's files. Mistral's own files pair (2j, 2j +
# 1):
# `checkpoint` reorders their rows once, when they are loaded.


class RotaryEmbedding:
    """The turns for some positions: cosines and sines, [..., 1, positions, head_dim / 2]."""

    def __init__(self, positions: Tensor, head_dim: int, theta: float, dtype: torch.dtype) -> None:
        """Positions [slots, new], any integers; the angles are computed in float32."""
        exponents = torch.arange(0, head_dim, 2, device=positions.device).float() / head_dim
        # Times the inverse, as the reference has it: a quotient differs by 1e-3 after 30 000 turns.
        angles = positions[:, None, :, None].float() * (1.0 / theta**exponents)
        self.cos, self.sin = angles.cos().to(dtype), angles.sin().to(dtype)

    def turn(self, x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Turn [slots, heads, new, head_dim]; to another type, if one is given."""
        if dtype is torch.bfloat16 and dispatch.supports_elementwise(x):
            turned: Tensor = dispatch.native_ops().rotate(x, self.cos, self.sin)
            return turned
        first, second = x.chunk(2, dim=-1)
        whole = torch.cat(
            (first * self.cos - second * self.sin, second * self.cos + first * self.sin), dim=-1
        )
        return whole if dtype is None else whole.to(dtype)
