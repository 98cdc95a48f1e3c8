"""Where native kernels replace PyTorch's operators.

The kernels are optional. `voxgate.voxtral.kernels.ops` is asked once whether they can be used on
this machine. Everything they compute has a counterpart in PyTorch, which the tests compare with.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

HEAD_DIM_STEP, MAX_HEAD_DIM = 16, 256  # of `ops.attention`: a multiple of the first, at most


@cache
def native_ops() -> Any:
    """Return the module of kernels, or None where it is missing or cannot be used."""
    try:
        module = importlib.import_module("voxgate.voxtral.kernels.ops")
    except ModuleNotFoundError:
        return None
    return module if module.is_available() else None


def supports_attention(q: Tensor) -> bool:
    """Return whether the attention kernel takes these queries [..., head_dim]."""
    return q.dtype == torch.bfloat16 and q.is_cpu and supports_heads(q.shape[-1])


def supports_heads(head_dim: int) -> bool:
    """Return whether there is an attention kernel for heads of this width, in bfloat16."""
    fits = head_dim % HEAD_DIM_STEP == 0 and head_dim <= MAX_HEAD_DIM
    return fits and native_ops() is not None


def supports_elementwise(x: Tensor) -> bool:
    """Return whether the elementwise kernels take this array."""
    return x.is_cpu and x.dtype == torch.float32 and native_ops() is not None


def int4_format() -> str | None:
    """Return a name for the layout of the kernel's 4-bit weights; None without the kernel."""
    if native_ops() is None:
        return None
    return f"w4a8 {importlib.import_module(native_ops().Int4Weight.__module__).INT4_FORMAT}"


class W4A8Linear(nn.Module):
    """A layer of 4-bit weights, multiplied as integers with 8-bit inputs, in groups of 32."""

    packed: Tensor

    def __init__(self, arrays: dict[str, Tensor]) -> None:
        super().__init__()
        self.register_buffer("packed", arrays["packed"])
        self.bias: Tensor | None = arrays.get("bias")
        rows, columns = arrays["shape"].tolist()
        self._weight = native_ops().Int4Weight(self.packed, rows, columns)

    @classmethod
    def pack(cls, weight: Tensor) -> dict[str, Tensor]:
        """Quantize a matrix [out, in]."""
        weight = weight if weight.dtype == torch.bfloat16 else weight.float()
        packed = native_ops().Int4Weight.pack(weight)
        return {"packed": packed.data, "shape": torch.tensor([packed.outputs, packed.inputs])}

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        out: Tensor = native_ops().linear_w4a8(x, self._weight)
        return out if self.bias is None else out + self.bias
