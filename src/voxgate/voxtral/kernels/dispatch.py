"""Where native kernels take over from PyTorch: they are optional, and each place has its own here.

`voxgate.voxtral.kernels.ops` is asked once whether it can be used on this machine. Everything that
it computes has its counterpart in PyTorch, which is what the tests hold it against.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

HEAD_STEP, WIDEST_HEAD = 16, 256  # of what `native.attention` takes


@cache
def native_ops() -> Any:
    """The module, or None where it is not there or has nothing to run on."""
    try:
        module = importlib.import_module("voxgate.voxtral.kernels.ops")
    except ModuleNotFoundError:
        return None
    return module if module.is_available() else None


def supports_attention(q: Tensor) -> bool:
    """Whether the kernel takes attention of such queries [..., head_dim]."""
    width = q.shape[-1]
    fits = q.dtype == torch.bfloat16 and width % HEAD_STEP == 0 and width <= WIDEST_HEAD
    return fits and q.device.type == "cpu" and native_ops() is not None


def supports_elementwise(x: Tensor) -> bool:
    """Whether the kernels that take one pass over an array take such a one."""
    return x.is_cpu and x.dtype == torch.float32 and native_ops() is not None


def int4_format() -> str | None:
    """A name for how the kernel's 4-bit weights lie; None without it."""
    if native_ops() is None:
        return None
    return f"w4a8 {importlib.import_module(native_ops().Int4Weight.__module__).INT4_FORMAT}"


class W4A8Linear(nn.Module):
    """4-bit weights, multiplied as integers with inputs of 8 bits, each 32 with a scale."""

    packed: Tensor

    def __init__(self, arrays: dict[str, Tensor]) -> None:
        super().__init__()
        self.register_buffer("packed", arrays["packed"])
        self.bias: Tensor | None = arrays.get("bias")
        rows, columns = arrays["shape"].tolist()
        self._weight = native_ops().Int4Weight(self.packed, rows, columns)

    @classmethod
    def arrays(cls, weight: Tensor) -> dict[str, Tensor]:
        """Of a matrix [out, in]."""
        weight = weight if weight.dtype == torch.bfloat16 else weight.float()
        packed = native_ops().Int4Weight.pack(weight)
        return {"packed": packed.data, "shape": torch.tensor([packed.outputs, packed.inputs])}

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        out: Tensor = native_ops().linear_w4a8(x, self._weight)
        return out if self.bias is None else out + self.bias
