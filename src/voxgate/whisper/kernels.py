"""The native kernels that an encoder needs, as functions of NumPy arrays.

They share CTranslate2's threads. NumPy has no bfloat16: such arrays are uint16, each number the
upper half of a float32. Nothing here checks shapes: `encoder` is the only caller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Self

import numpy as np

from voxgate.hardware import native_kernels
from voxgate.hardware.int8_panels import int8_panels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from voxgate.hardware.native_kernels import Kernels

    Floats = NDArray[np.float32]

CTRANSLATE2 = "ctranslate2._ext"  # the module that is linked to CTranslate2's threads
LEVELS = 127  # steps of 8 bits on either side of zero
SMALLEST_STEP = 1e-30  # of an output without weights
TOLERANCE = 0.02  # relative, of products of 8 bits and of 16


@cache  # called some 40 times for each window
def load_kernels() -> Kernels:
    """Return the kernels. Raises `UsageError` with the reason of `why_unavailable`."""
    return native_kernels.load_kernels(CTRANSLATE2)


@cache
def why_unavailable() -> str | None:
    """Return why the kernels cannot be used, as a sentence without its full stop; else None.

    They can be used if the package is installed and has the right interface, the processor has the
    instructions, and they agree with NumPy on small arrays. Checked once.
    """
    return native_kernels.why_missing(CTRANSLATE2) or _find_disagreement()


@dataclass(frozen=True, slots=True, eq=False)
class Int8Matrix:
    """Weights [outputs, inputs] of 8 bits, a scale for each output. Inputs: a multiple of 64."""

    packed: NDArray[np.uint8]
    scales: Floats
    bias: Floats
    inputs: int

    @classmethod
    def quantize(cls, weight: Floats, bias: Floats) -> Self:
        """Round to the nearest of 127 steps on either side of zero."""
        largest = np.maximum(weight.max(1), -weight.min(1))
        scales = np.maximum(largest / LEVELS, SMALLEST_STEP).astype(np.float32)
        rows = np.rint(weight / scales[:, None]).astype(np.int8)
        return cls(int8_panels(rows), scales, np.ascontiguousarray(bias), weight.shape[1])

    def product(
        self,
        rows: Floats | NDArray[np.uint16],
        out: Floats | NDArray[np.uint16],
        threads: int,
        *,
        gelu: bool = False,
    ) -> None:
        """Write rows [n, inputs] times the transposed weights, plus bias, to `out` [n, outputs].

        Both are contiguous, of float32 or bfloat16. Rows are rounded to 8 bits, each with a scale
        of its own. With `gelu`, the GELU of each number, by erf.
        """
        load_kernels().int8_product(
            (self.packed.ctypes.data, self.scales.ctypes.data, self.bias.ctypes.data),
            rows.ctypes.data, rows.dtype == np.float32, self.inputs, gelu, out.ctypes.data,
            out.dtype == np.float32, len(rows), len(self.scales), self.inputs, threads,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class LayerNorm:
    """Rows made to have the mean 0 and the variance 1, then scaled and moved by column."""

    weight: Floats
    bias: Floats

    EPS = 1e-5

    def apply(self, x: Floats, added: Floats | None, out: Floats, threads: int) -> None:
        """Add to x [n, width], in place, and write its norm to `out`. All are contiguous."""
        load_kernels().layer_norm(
            (x.ctypes.data, 0 if added is None else added.ctypes.data),
            (self.weight.ctypes.data, self.bias.ctypes.data),
            self.EPS, out.ctypes.data, len(x), x.shape[1], threads,
        )  # fmt: skip


def add_bias_and_gelu(x: Floats, bias: Floats, threads: int) -> None:
    """Replace x [n, width] by the GELU of x + bias."""
    count, width = x.shape
    ones = np.ones(count, np.float32)
    data = x.ctypes.data
    load_kernels().finish(
        data, ones.ctypes.data, bias.ctypes.data, True, data, True, count, width, threads
    )


def attend(qkv: NDArray[np.uint16], out: NDArray[np.uint16], heads: int, threads: int) -> None:
    """Write softmax(q · k / √head_dim) · v of all frames to `out` [frames, width].

    `qkv` is [frames, 3 width]: queries, keys and values by head, in bfloat16. Head_dim is a
    multiple of 16, at most 256.
    """
    frames, width = out.shape
    head_dim, step = width // heads, qkv.shape[1]
    strides = (frames * step, head_dim, step)
    data, part = qkv.ctypes.data, width * qkv.itemsize
    load_kernels().attend(
        (data, data + part, data + 2 * part, out.ctypes.data), strides, strides, strides,
        [0], [frames], (frames, heads, heads, head_dim), False, head_dim**-0.5, threads,
    )  # fmt: skip


def _find_disagreement() -> str | None:
    """Return which kernel disagrees with NumPy on small odd shapes, as a sentence."""
    draw = np.random.default_rng(0)
    x, added = (draw.standard_normal((74, 128), np.float32) for _ in range(2))
    weight, bias = draw.standard_normal((144, 128), np.float32), x[0].repeat(2)[:144]
    weight *= np.float32(1 / 16)
    matrix, out = Int8Matrix.quantize(weight, bias), np.empty((74, 144), np.float32)
    matrix.product(x, out, 2)
    if not _error(out, x @ weight.T + bias) <= TOLERANCE:
        return "the kernel int8_product disagrees with NumPy"
    qkv, mixed = np.empty((74, 144), np.uint16), np.empty((74, 48), np.uint16)
    matrix.product(x, qkv, 2)
    attend(qkv, mixed, 3, 2)
    if not _error(_widened(mixed), _attention(_widened(qkv).reshape(74, 3, 3, 16))) <= TOLERANCE:
        return "the kernel attend disagrees with NumPy"
    activated = x.copy()
    add_bias_and_gelu(activated, x[1], 2)
    if not _error(activated, _gelu(x + x[1])) <= TOLERANCE:
        return "the kernel finish disagrees with NumPy"
    total, normal = x + added, np.empty_like(x)
    LayerNorm(x[0], x[1]).apply(x.copy(), added, normal, 2)
    apart = total - total.mean(1, keepdims=True)
    expected = apart / np.sqrt(np.square(apart).mean(1, keepdims=True) + LayerNorm.EPS)
    if not _error(normal, expected * x[0] + x[1]) <= TOLERANCE:
        return "the kernel layer_norm disagrees with NumPy"
    return None


def _widened(x: NDArray[np.uint16]) -> Floats:
    """Return bfloat16 as float32."""
    return (x.astype(np.uint32) << 16).view(np.float32)


def _attention(qkv: Floats) -> Floats:
    """Return the attention of [frames, 3, heads, head_dim], [frames, width]."""
    q, k, v = qkv.transpose(1, 2, 0, 3)
    weights = np.exp(q @ k.swapaxes(1, 2) / np.sqrt(np.float32(q.shape[-1])))
    mixed: Floats = (weights / weights.sum(-1, keepdims=True)) @ v
    return mixed.swapaxes(0, 1).reshape(len(qkv), -1)


def _gelu(x: Floats) -> Floats:
    erf = np.vectorize(math.erf, otypes=[np.float32])
    gelu: Floats = x / 2 * (1 + erf(x / math.sqrt(2)))
    return gelu


def _error(ours: Floats, expected: Floats) -> float:
    """Return the relative error, by the norm of all numbers."""
    return float(np.linalg.norm(ours - expected) / np.linalg.norm(expected))
