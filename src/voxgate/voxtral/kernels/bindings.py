"""Whether the optional package `voxgate-kernels` is here and can be used, and the package itself.

It knows addresses, not tensors; what it is told is checked in `native` and `int4_weight`.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

import torch  # before the package: it shares the threads of the OpenMP library that this loads

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

INTERFACE = 2  # of the package's functions, as they are called here

ByteDistances = tuple[int, int, int]
"""Elements from one slot, head and row to the next."""


class Kernels(Protocol):
    """The package's functions. An address comes with whether it is of float32, else of bfloat16."""

    INTERFACE: int
    supported: Callable[[], bool]  # whether this processor has the instructions
    has_pool: Callable[[], bool]  # whether PyTorch's threads were found

    quantise_rows: Callable[[int, bool, int, int, int, int, int, int], None]
    """x, wide, x's stride, q, scale, count, width, threads: see `native.quantise_rows`."""

    pack: Callable[[int, bool, int, int, int, int, int], None]
    """Matrix, wide, its stride, packed, outputs, inputs, threads: see `Int4Weight.pack`."""

    product: Callable[[int, int, bool, int, int, int, int, int, int], None]
    """Packed, x, wide, x's stride, out, rows, outputs, inputs, threads: see `linear_w4a8`."""

    int8_product: Callable[
        [
            tuple[int, int, int],  # packed, scales, bias or 0
            int, bool, int,  # x, wide, its stride
            int,  # out
            int, int, int, int,  # rows, outputs, inputs, threads
        ],
        None,
    ]  # fmt: skip
    """See `native.linear_w8a8`."""

    attend: Callable[
        [
            tuple[int, int, int, int],  # queries, keys, values, out
            ByteDistances,  # of the queries,
            ByteDistances,  # keys,
            ByteDistances,  # and values
            list[int],  # each sequence's slot
            list[int],  # and length
            tuple[int, int, int, int],  # rows, heads, kv_heads, head_dim
            bool,  # causal
            float,  # scale
            int,  # threads
        ],
        None,
    ]
    """See `native.attention`."""

    finish: Callable[[int, int, int, bool, int, bool, int, int, int], None]
    """Product, scales, bias or 0, gelu, out, wide, count, width, threads: see `passes.finish`."""

    rms_norm: Callable[[int, int, int, float, int, int, int, int], None]
    """x, its stride, weight, eps, out, count, width, threads: see `passes.rms_norm`."""

    silu_mul: Callable[[int, int, int, int, int, int, int], None]
    """Gate, up, the stride of both, out, count, width, threads: see `passes.silu_mul`."""

    turn: Callable[[int, int, int, int, int, int, int, int, int], None]
    """x, its stride, cosines, sines, out, rows, heads, half, threads: see `passes.turn`."""

    int8_operations: Callable[[int], float]  # a second, of so many threads, from registers
    bf16_operations: Callable[[int], float]
    read_bytes: Callable[[int, int, int], float]  # a second: address, bytes, threads


@cache
def why_missing() -> str | None:
    """Why the kernels cannot be used here, as a sentence without its full stop; None if they can.

    What they compute is not tried here: `native.available` does.
    """
    try:
        package = cast("Kernels", importlib.import_module("voxgate_kernels"))
    except ModuleNotFoundError:
        return "the package voxgate-kernels is not installed"
    except ImportError as error:
        return f"the package voxgate-kernels cannot be loaded: {error}"
    if package.INTERFACE != INTERFACE:
        return (
            f"the installed voxgate-kernels has interface {package.INTERFACE}, and this Voxgate "
            f"wants {INTERFACE}"
        )
    if not package.supported():
        return "this processor lacks AVX-512 VNNI and BF16"
    if not package.has_pool():
        return "PyTorch's threads were not found by voxgate-kernels"
    return None


@cache  # a token asks some 500 times
def load_kernels() -> Kernels:
    """The package. Raises `UsageError` where it is `why_missing`."""
    if reason := why_missing():
        raise UsageError(
            f"The native kernels cannot be used: {reason}. `make kernels` builds them for this "
            "machine; without them, take PyTorch's operators."
        )
    return cast("Kernels", importlib.import_module("voxgate_kernels"))


def address(tensor: Tensor) -> tuple[int, bool]:
    """Where it begins, and whether it is float32.

    Raises `UsageError` unless it is float32 or bfloat16, on the processor, and its last dimension
    lies side by side.
    """
    wide = tensor.dtype is torch.float32
    if not (wide or tensor.dtype is torch.bfloat16) or tensor.device.type != "cpu":
        raise UsageError(
            f"A kernel was given {tensor.dtype} on {tensor.device}. It takes float32 and bfloat16 "
            "on the processor: convert the tensor first."
        )
    if tensor.stride(-1) != 1 and tensor.shape[-1] > 1:
        raise UsageError(
            f"A kernel was given a tensor of strides {tensor.stride()}, whose last dimension does "
            "not lie side by side. Call contiguous() on it first."
        )
    return tensor.data_ptr(), wide


def byte_distances(tensor: Tensor) -> ByteDistances:
    """Of a tensor [slots, heads, rows, head_dim]."""
    slot, head, row, _ = tensor.stride()
    return slot, head, row
