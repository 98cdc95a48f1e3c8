"""The optional package `voxgate-kernels`: whether it can be used here, and its functions.

The package has several levels, each for other instructions of the processor, and uses the best that
this processor has, or the one that `VOXGATE_KERNELS` names. It takes addresses, not arrays: its
callers check the arguments. Imports neither torch nor NumPy.
"""

from __future__ import annotations

import ctypes
import importlib
import os
from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

from voxgate.errors import UsageError
from voxgate.hardware.level import KERNELS_VARIABLE, OFF

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INTERFACE = 7  # version of the package's functions that this module calls

Strides = tuple[int, int, int]
"""Elements from one slot, head and row to the next."""


class Kernels(Protocol):
    """The package's functions.

    An address is followed by a flag, `wide`: true for float32, false for bfloat16.
    """

    INTERFACE: int
    levels: Callable[[], list[str]]  # that this processor has, the fastest last
    use: Callable[[str], bool]  # a level, from the next call on; whether this processor has it
    use_threads: Callable[[int], None]  # of an OpenMP library, by the address of `GOMP_parallel`

    quantise_rows: Callable[[int, bool, int, int, int, int, int, int], None]
    """x, wide, x's stride, q, scale, count, width, threads: see `ops.quantize_rows`."""

    pack: Callable[[int, bool, int, int, int, int, int], None]
    """Matrix, wide, its stride, packed, outputs, inputs, threads: see `Int4Weight.pack`."""

    int4_product: Callable[[int, int, bool, int, int, int, int, int, int], None]
    """Packed, x, wide, x's stride, out, rows, outputs, inputs, threads: see `ops.linear_w4a8`."""

    int8_product: Callable[
        [
            tuple[int, int, int],  # packed, scales, bias or 0
            int, bool, int,  # x, wide, its stride
            bool,  # gelu
            int, bool,  # out, wide
            int, int, int, int,  # rows, outputs, inputs, threads
        ],
        None,
    ]  # fmt: skip
    """See `ops.linear_w8a8`."""

    attend: Callable[
        [
            tuple[int, int, int, int],  # queries, keys, values, out
            Strides,  # of the queries,
            Strides,  # keys,
            Strides,  # and values
            list[int],  # each sequence's slot
            list[int],  # and length
            tuple[int, int, int, int],  # rows, heads, kv_heads, head_dim
            bool,  # causal
            float,  # scale
            int,  # threads
        ],
        None,
    ]
    """See `ops.attention`."""

    finish: Callable[[int, int, int, bool, int, bool, int, int, int], None]
    """Product, scales, bias or 0, gelu, out, wide, count, width, threads: see `scale_and_bias`."""

    rms_norm: Callable[[int, int, int, float, int, int, int, int], None]
    """x, its stride, weight, eps, out, count, width, threads: see `elementwise.rms_norm`."""

    layer_norm: Callable[[tuple[int, int], tuple[int, int], float, int, int, int, int], None]
    """x and what is added to it or 0, weight and bias, eps, out, count, width, threads.

    x [count, width] += added; out = (x - mean) / sqrt(variance + eps) * weight + bias for each row.
    All are contiguous float32.
    """

    silu_mul: Callable[[int, int, int, int, int, int, int], None]
    """Gate, up, the stride of both, out, count, width, threads: see `elementwise.silu_mul`."""

    turn: Callable[[int, int, int, int, int, int, int, int, int], None]
    """x, its stride, cosines, sines, out, rows, heads, half, threads: see `elementwise.rotate`."""

    hear_speech: Callable[[Sequence[int], int, int, int, int], None]
    """The network's arrays, chunks, their count, state, out: see `SileroKernel`. One thread's."""

    int8_operations: Callable[[int], float]  # a second, by so many threads, in registers
    float_operations: Callable[[int], float]
    bf16_operations: Callable[[int], float]  # 0 at a level that has no product of bfloat16
    read_bytes: Callable[[int, int, int], float]  # a second: address, bytes, threads


@cache
def why_missing(library: str | None = None) -> str | None:
    """Return why the kernels cannot be used beside a library, as a sentence without its full stop.

    None where they can. `library` is the module of C whose threads they share, by `find_threads`;
    without one they have the caller's alone.
    Raises `UsageError` where `VOXGATE_KERNELS` names a level that this processor or the package
    does not have.
    """
    if reason := _why_unusable():
        return reason
    if library and find_threads(library) is None:
        name = library.partition(".")[0]
        return f"{name} was built without OpenMP's threads, which the kernels share"
    return None


def levels() -> list[str]:
    """Return the names of the levels that this processor has, the fastest last; none without."""
    return [] if _why_not_loaded() else _package().levels()


def level() -> str | None:
    """Return the name of the level in use; None where the kernels cannot be used."""
    if _why_unusable():
        return None
    return os.environ.get(KERNELS_VARIABLE) or levels()[-1]


def needs_build() -> bool:
    """Return whether the kernels are wanted, and missing, broken or of another version.

    `make kernels` builds the right ones.
    """
    if os.environ.get(KERNELS_VARIABLE) == OFF:
        return False
    try:
        return getattr(_package(), "INTERFACE", None) != INTERFACE
    except (ImportError, OSError):
        return True


def _why_unusable() -> str | None:
    """Return why no level can be used, whatever the threads. Raises as `why_missing` does."""
    chosen = os.environ.get(KERNELS_VARIABLE, "")
    if chosen == OFF:
        return f"{KERNELS_VARIABLE} is {OFF}"
    reason = _why_not_loaded()
    if chosen and chosen not in ([] if reason else _package().levels()):
        raise UsageError(_no_such_level(chosen, reason))
    return reason


@cache
def _why_not_loaded() -> str | None:
    try:
        package = _package()
    except ModuleNotFoundError:
        return "the package voxgate-kernels is not installed"
    except (ImportError, OSError) as error:
        return f"the package voxgate-kernels cannot be loaded: {error}"
    installed = getattr(package, "INTERFACE", None)  # none in a folder that pip left behind
    if installed != INTERFACE:
        return (
            f"the installed voxgate-kernels has interface {installed}, and this Voxgate needs "
            f"{INTERFACE}"
        )
    if not package.levels():
        return "this processor has neither AVX2 nor ARM's dot products"
    return None


def find_threads(library: str) -> int | None:
    """Return the address of `GOMP_parallel` in the OpenMP library that a module of C is linked to.

    None where it is linked to none. That library's name and whether its symbols are global differ
    from wheel to wheel.
    """
    loaded = ctypes.CDLL(importlib.import_module(library).__file__)
    try:
        function = loaded.GOMP_parallel  # of any library that the module was loaded with
    except AttributeError:
        return None
    return ctypes.cast(function, ctypes.c_void_p).value


def _no_such_level(chosen: str, reason: str | None) -> str:
    if reason:
        build = "Build it with `make kernels`, or set" if needs_build() else "Set"
        return f"{KERNELS_VARIABLE} is '{chosen}', and {reason}. {build} '{OFF}' or nothing."
    return (
        f"{KERNELS_VARIABLE} is '{chosen}', and this processor has {', '.join(levels())}. Name one "
        f"of those, '{OFF}' for none, or nothing for the fastest."
    )


def _package() -> Kernels:
    return cast("Kernels", importlib.import_module("voxgate_kernels"))


def load_kernels(library: str | None = None) -> Kernels:
    """Return the package, at its level, with the threads of a library: see `why_missing`.

    Raises `UsageError` with the reason of `why_missing`.
    """
    if reason := why_missing(library):
        build = " Build them with `make kernels`." if needs_build() else ""
        raise UsageError(f"The native kernels cannot be used: {reason}.{build}")
    package = _package()
    if library:
        package.use_threads(find_threads(library) or 0)
    package.use(level() or "")
    return package
