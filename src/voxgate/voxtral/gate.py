"""`Gate`: the middle of SwiGLU (Shazeer, 2002.05202)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral import takeover

if TYPE_CHECKING:
    from torch import Tensor


class Gate(nn.Module):
    """silu(gate) * up. It has no parameters."""

    fused = False  # whether a kernel may take over, whose last bits differ: see `Network.fuse`

    def forward(self, gate: Tensor, up: Tensor) -> Tensor:
        """[..., width] twice to the same."""
        if self.fused and takeover.passes(gate):
            gated: Tensor = takeover.native().silu_mul(gate, up)
            return gated
        return F.silu(gate) * up
