"""Layers of the decoder: `RMSNorm`, `SwiGLUGate` and `RotaryEmbedding`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral.kernels import dispatch

if TYPE_CHECKING:
    from torch import Tensor


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) * weight, normalized in float32 (Zhang & Sennrich, 1910.07467)."""

    fused = False  # whether a native kernel may compute it; its last bits differ: `Network.fuse`

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


class SwiGLUGate(nn.Module):
    """silu(gate) * up, the middle of SwiGLU (Shazeer, 2002.05202). It has no parameters."""

    fused = False  # whether a native kernel may compute it; its last bits differ: `Network.fuse`

    def forward(self, gate: Tensor, up: Tensor) -> Tensor:
        """[..., width] twice to the same."""
        if self.fused and dispatch.supports_elementwise(gate):
            gated: Tensor = dispatch.native_ops().silu_mul(gate, up)
            return gated
        return F.silu(gate) * up


class RotaryEmbedding:
    """Rotary positions (Su et al., 2104.09864): each pair of channels is rotated by its own angle.

    Holds the cosines and sines of some positions, [slots, 1, new, head_dim / 2]. Pairs are
    (j, j + head_dim / 2), as in Hugging Face's files. Mistral's files pair (2j, 2j + 1);
    `checkpoint` reorders their rows once, at loading.
    """

    def __init__(self, positions: Tensor, head_dim: int, theta: float, dtype: torch.dtype) -> None:
        """Compute the angles of positions [slots, new], any integers, in float32."""
        exponents = torch.arange(0, head_dim, 2, device=positions.device).float() / head_dim
        # Multiply by the inverse, as the reference does: a quotient differs by 1e-3 at 30 000.
        angles = positions[:, None, :, None].float() * (1.0 / theta**exponents)
        self.cos, self.sin = angles.cos().to(dtype), angles.sin().to(dtype)

    def rotate(self, x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Rotate [slots, heads, new, head_dim]. `dtype` of the result; None keeps x's."""
        if dtype is torch.bfloat16 and dispatch.supports_elementwise(x):
            native: Tensor = dispatch.native_ops().rotate(x, self.cos, self.sin)
            return native
        first, second = x.chunk(2, dim=-1)
        rotated = torch.cat(
            (first * self.cos - second * self.sin, second * self.cos + first * self.sin), dim=-1
        )
        return rotated if dtype is None else rotated.to(dtype)
