"""The native kernels with PyTorch's threads, and the addresses of its tensors.

`ops`, `elementwise` and `packing` check the arguments.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

from voxgate.errors import UsageError
from voxgate.hardware import native_kernels

if TYPE_CHECKING:
    from torch import Tensor

    from voxgate.hardware.native_kernels import Kernels, Strides

PYTORCH = "torch._C"  # the module that is linked to PyTorch's threads


def why_missing() -> str | None:
    """Return why the kernels cannot be used, as a sentence without its full stop; else None.

    Their results are not checked: `ops.is_available` does that. Raises `UsageError` where
    `VOXGATE_KERNELS` names a level that this processor or the package does not have.
    """
    return native_kernels.why_missing(PYTORCH)


@cache  # called some 500 times for each token
def load_kernels() -> Kernels:
    """Return the package, at its level. Raises `UsageError` with the reason of `why_missing`."""
    return native_kernels.load_kernels(PYTORCH)


def address(tensor: Tensor) -> tuple[int, bool]:
    """Return the tensor's address, and whether it is float32.

    Raises `UsageError` unless it is float32 or bfloat16, on the CPU, and its last dimension is
    contiguous.
    """
    wide = tensor.dtype is torch.float32
    if not (wide or tensor.dtype is torch.bfloat16) or tensor.device.type != "cpu":
        raise UsageError(
            f"A kernel was given {tensor.dtype} on {tensor.device}. It takes float32 and bfloat16 "
            "on the CPU: convert the tensor first."
        )
    if tensor.stride(-1) != 1 and tensor.shape[-1] > 1:
        raise UsageError(
            f"A kernel was given a tensor of strides {tensor.stride()}, whose last dimension is "
            "not contiguous. Call contiguous() on it first."
        )
    return tensor.data_ptr(), wide


def head_strides(tensor: Tensor) -> Strides:
    """Return the strides of a tensor [slots, heads, rows, head_dim] without the last."""
    slot, head, row, _ = tensor.stride()
    return slot, head, row
