"""This machine's peak speeds, measured: of products, and of reading memory.

Each is the largest that any way of computing reaches: the native kernels repeat one instruction on
registers, and PyTorch, oneDNN and NumPy multiply matrices. A peak that is too low would make the
floor too high, and flatter what is compared with it.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.hardware.cores import thread_count
from voxgate.voxtral.kernels import onednn
from voxgate.voxtral.kernels.bindings import load_kernels, why_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEMORY_READ_BYTES = 2**29  # larger than any cache
MATRIX_SIDE = 1024  # of the timed products
IMAGE_SIDE = 32  # its square is MATRIX_SIDE
ROOFLINE_RUNS = 10  # of each measurement: the fastest counts


@dataclass(frozen=True, slots=True)
class Roofline:
    """The machine's limits, with all threads together.

    A multiplication and an addition count as two operations.
    """

    read_bytes_per_s: float
    wide_ops_per_s: float  # of bfloat16 where the processor computes in it, else of float32
    int8_ops_per_s: float

    def or_better(self, other: Roofline) -> Roofline:
        """Return the better of each limit of two measurements."""
        pairs = zip(asdict(self).values(), asdict(other).values(), strict=True)
        return Roofline(*(max(pair) for pair in pairs))

    def describe(self) -> str:
        """Return the limits as a part of a sentence about the machine."""
        return (
            f"reads {self.read_bytes_per_s / 1e9:.0f} GB/s, multiplies "
            f"{self.wide_ops_per_s / 1e9:.0f} billion a second, in 8 bits "
            f"{self.int8_ops_per_s / 1e9:.0f}"
        )


def measure_roofline() -> Roofline:
    """Measure this machine with the threads of an engine. Takes a few seconds."""
    torch.set_num_threads(thread_count())
    wide = max(_wide_rates())
    return Roofline(max(_read_rates()), wide, max(wide, *_int8_rates()))


def _wide_rates() -> Iterator[float]:
    """Yield the operations a second of products in float32 and bfloat16, by every way."""
    dtype = onednn.many_rows_dtype()
    matrix = torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=dtype)
    numbers = np.ones((MATRIX_SIDE, MATRIX_SIDE), dtype=np.float32)
    image = matrix.view(1, MATRIX_SIDE, IMAGE_SIDE, IMAGE_SIDE)
    image = image.to(memory_format=torch.channels_last)
    filters = matrix.view(MATRIX_SIDE, MATRIX_SIDE, 1, 1)
    yield _product_rate(lambda: F.linear(matrix, matrix))
    # The same product by oneDNN, where PyTorch's linear layers use MKL, which is slow on AMD.
    yield _product_rate(lambda: F.conv2d(image, filters))
    yield _product_rate(lambda: numbers @ numbers)
    if why_missing() is None:
        kernels, threads = load_kernels(), torch.get_num_threads()
        for measure in (kernels.bf16_operations, kernels.float_operations):
            yield max(measure(threads) for _ in range(ROOFLINE_RUNS))


def _int8_rates() -> Iterator[float]:
    """Yield the operations a second of integer products, by every way; nothing without any."""
    if (levels := onednn.int8_levels()) is not None:
        packed = onednn.prepack_int8(torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=torch.int8))
        inputs = torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=torch.uint8)
        scales = torch.ones(MATRIX_SIDE)
        yield _product_rate(lambda: onednn.int8_product(inputs, levels + 1, packed, scales))
    if why_missing() is None:
        kernels, threads = load_kernels(), torch.get_num_threads()
        yield max(kernels.int8_operations(threads) for _ in range(ROOFLINE_RUNS))


def _read_rates() -> Iterator[float]:
    """Yield the bytes a second that all threads read from memory, by every way."""
    memory = torch.ones(MEMORY_READ_BYTES // 4)
    yield MEMORY_READ_BYTES / _fastest_s(memory.sum)
    if why_missing() is None:
        kernels, threads = load_kernels(), torch.get_num_threads()
        address, count = memory.data_ptr(), memory.nbytes
        yield max(kernels.read_bytes(address, count, threads) for _ in range(ROOFLINE_RUNS))


def _product_rate(multiply: Callable[[], object]) -> float:
    """Return the operations a second of a product of two square matrices."""
    return 2 * MATRIX_SIDE**3 / _fastest_s(multiply)


def _fastest_s(function: Callable[[], object]) -> float:
    elapsed_s = []
    for _ in range(ROOFLINE_RUNS):
        start_s = time.perf_counter()
        function()
        elapsed_s.append(time.perf_counter() - start_s)
    return min(elapsed_s)
