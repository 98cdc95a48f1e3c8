"""Rotary positions (Su et al., 2104.09864): each pair of channels turns by an angle of its own.

Pairs are (j, j + head_dim / 2), as in Hugging Face's files. Mistral's own files pair (2j, 2j + 1):
`checkpoint` reorders their rows once, when they are loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from voxgate.voxtral import takeover

if TYPE_CHECKING:
    from torch import Tensor


class Rope:
    """The turns for some positions: cosines and sines, [..., 1, positions, head_dim / 2]."""

    def __init__(self, positions: Tensor, head_dim: int, theta: float, dtype: torch.dtype) -> None:
        """Positions [slots, new], any integers; the angles are computed in float32."""
        exponents = torch.arange(0, head_dim, 2, device=positions.device).float() / head_dim
        # Times the inverse, as the reference has it: a quotient differs by 1e-3 after 30 000 turns.
        angles = positions[:, None, :, None].float() * (1.0 / theta**exponents)
        self.cos, self.sin = angles.cos().to(dtype), angles.sin().to(dtype)

    def turn(self, x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Turn [slots, heads, new, head_dim]; to another type, if one is given."""
        if dtype is torch.bfloat16 and takeover.passes(x):
            turned: Tensor = takeover.native().turn(x, self.cos, self.sin)
            return turned
        first, second = x.chunk(2, dim=-1)
        whole = torch.cat(
            (first * self.cos - second * self.sin, second * self.cos + first * self.sin), dim=-1
        )
        return whole if dtype is None else whole.to(dtype)
