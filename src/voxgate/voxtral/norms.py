"""`RMSNorm`: rows brought to one size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from voxgate.voxtral import takeover

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
        if self.fused and takeover.passes(x):
            normed: Tensor = takeover.native().rms_norm(x, self.weight, self.eps)
            return normed
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * scaled.to(x.dtype)
