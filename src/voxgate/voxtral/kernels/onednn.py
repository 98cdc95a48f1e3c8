"""PyTorch's private oneDNN operators, each checked once before it is used.

`torch.compile` calls them, but PyTorch guarantees nothing: another version or processor may lack
one, compute it differently, or silently use a kernel that is a thousand times slower. A trial
compares the operator with plain arithmetic on a small matrix, and measures its time. Where a trial
fails, callers use plain PyTorch. `packed_contents` and `restore_packed` follow the way in which
PyTorch's own compiler stores packed weights.
"""

# ruff: noqa: SLF001 (this file exists because they are private)

from __future__ import annotations

import ctypes
import hashlib
import logging
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.hardware.native_types import is_native_dtype
from voxgate.voxtral.quantization.profiles import GROUP_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

log = logging.getLogger(__name__)

ROWS, COLUMNS, TOKENS = 192, 256, 16  # of the trials' matrices
INT4_ZERO_STEP = 8  # the 4-bit step whose weight is a group's stored zero
TRIAL_RUNS = 9  # the fastest counts
SLOWEST_RATIO = 8.0  # to float32's time: every intended kernel is faster than that
TRIAL_ERRORS = (RuntimeError, AttributeError, NotImplementedError, TypeError)


def prepack_int8(rows: Tensor) -> Tensor:
    """Return int8 [out, in] in the layout that the product reads; opaque."""
    packed: Tensor = torch.ops.onednn.qlinear_prepack(rows, None)
    return packed


def int8_product(inputs: Tensor, zero: int, packed: Tensor, scales: Tensor) -> Tensor:
    """Return float32 [tokens, out] of uint8 [tokens, in], where the input `zero` means 0."""
    product: Tensor = torch.ops.onednn.qlinear_pointwise(
        inputs, 1.0, zero, packed, scales, _zero_points(len(scales)), None, 1.0, 0, torch.float32,
        "none", [], "",
    )  # fmt: skip
    return product


@cache
def _zero_points(count: int) -> Tensor:
    """Return the zero points of the weights, which are all 0."""
    return torch.zeros(count, dtype=torch.int64)


@cache
def int8_levels() -> int | None:
    """Return the largest input magnitude of the integer product; None where it cannot be used.

    Without VNNI, two products are added in 16 bits. Inputs to 127 overflow them; inputs to 63 fit,
    at half the precision.
    """
    return next((levels for levels in (127, 63) if _try_int8(f"int8 to {levels}", levels)), None)


@cache
def can_restore() -> bool:
    """Return whether a packed weight can be restored from its bytes in other memory."""
    if int8_levels() is None:
        return False

    def trial() -> bool:
        rows, inputs = _extreme_operands(127)
        packed, scales = prepack_int8(rows), torch.ones(ROWS)
        contents, layout = packed_contents(packed)
        again = restore_packed(contents, layout, tuple(packed.shape))
        products = [int8_product(inputs, 128, each, scales) for each in (packed, again)]
        return torch.equal(*products)

    return _passes("packed weights from memory", trial)


@cache
def packed_layout() -> str:
    """Return a name for the packed layout here. Another layout has another name."""
    _, layout = packed_contents(prepack_int8(_extreme_operands(127)[0]))
    return hashlib.sha256(layout.numpy().tobytes()).hexdigest()


def packed_contents(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Return a copy of a packed weight's bytes, and oneDNN's description of their layout."""
    operators = torch.ops.mkldnn
    size = operators._nbytes(packed)
    raw = (ctypes.c_uint8 * size).from_address(operators.data_ptr(packed))
    return torch.frombuffer(raw, dtype=torch.uint8).clone(), operators._get_mkldnn_serialized_md(
        packed
    )


def restore_packed(contents: Tensor, layout: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the packed weight over bytes that the caller keeps alive. Raises `RuntimeError`."""
    library = _torch_library()
    described = layout.numpy().tobytes()
    handle = ctypes.c_void_p()
    failed = library.aoti_torch_create_tensor_from_blob_v2(
        ctypes.c_void_p(contents.data_ptr()), ctypes.c_int64(2),
        (ctypes.c_int64 * 2)(*shape), (ctypes.c_int64 * 2)(shape[1], 1), ctypes.c_int64(0),
        library.aoti_torch_dtype_int8(), library.aoti_torch_device_type_cpu(), 0,
        ctypes.byref(handle), library.aoti_torch_layout__mkldnn(),
        described, ctypes.c_int64(len(described)),
    )  # fmt: skip
    if failed:
        raise RuntimeError("PyTorch did not restore packed weights from memory.")
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = (
        ctypes.py_object,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
    )
    packed: Tensor = torch._C._aoti.alloc_tensor_by_stealing_from_void_ptr(
        capsule(handle, None, None)
    )
    return packed


@cache
def _torch_library() -> ctypes.CDLL:
    """Return PyTorch's shared library, which is already loaded."""
    (path,) = (Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*")
    return ctypes.CDLL(str(path))


def int4_product(inputs: Tensor, packed: Tensor, group: int, scales: Tensor) -> Tensor:
    """Return bf16 [tokens, out] of bf16 inputs and 4-bit weights packed by `pack_int4`."""
    rows, columns = 2 * packed.shape[0] * packed.shape[2], packed.shape[1]
    product: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(
        inputs, packed.view(rows, columns // 2), group, scales
    )
    return product


def pack_int4(steps: Tensor, block: int) -> Tensor:
    """Pack steps [n, k] into uint8 [n / block, k, block / 2].

    The first half of a block's rows is in the low four bits. This is the layout of
    `_convert_weight_to_int4pack_for_cpu`, which takes four times the memory.
    """
    blocks = steps.view(-1, block, steps.shape[1]).transpose(1, 2)
    lower, upper = blocks.chunk(2, dim=2)
    return (lower | (upper << 4)).contiguous()


@cache
def int4_block_rows() -> int:
    """Return the rows of a block of 4-bit weights that PyTorch's product reads here."""
    return next((block for block in (64, 32) if _try_int4(block)), 64)


@cache
def has_int4_product() -> bool:
    """Return whether `int4_product` can be used here."""
    return _try_int4(int4_block_rows())


@cache
def many_rows_dtype() -> torch.dtype:
    """Return the type in which ordinary products of many rows are fastest here.

    bfloat16 where the processor and oneDNN compute in it; float32 where either would emulate it.
    """
    native = is_native_dtype("BF16") and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if native else torch.float32


@cache
def _try_int4(block: int) -> bool:
    def trial() -> bool:
        generator = torch.Generator().manual_seed(0)
        steps = torch.randint(0, 16, (ROWS, COLUMNS), generator=generator, dtype=torch.uint8)
        scales = torch.tensor([1.0, 0.0]).bfloat16().repeat(COLUMNS // GROUP_WEIGHTS, ROWS, 1)
        inputs = torch.randint(-1, 2, (TOKENS, COLUMNS), generator=generator)
        product = int4_product(inputs.bfloat16(), pack_int4(steps, block), GROUP_WEIGHTS, scales)
        expected = F.linear(inputs.float(), steps.float() - INT4_ZERO_STEP)
        return torch.equal(product, expected.bfloat16())

    return _passes(f"int4 in blocks of {block}", trial)


@cache
def can_prepack_bf16() -> bool:
    """Return whether the product of prepacked bf16 weights is available and correct here."""

    def trial() -> bool:
        weight, x = torch.randn(ROWS, COLUMNS).bfloat16(), torch.randn(TOKENS, COLUMNS).bfloat16()
        packed = torch.ops.mkldnn._reorder_linear_weight(weight)
        product = torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")
        error = (product.float() - F.linear(x.float(), weight.float())).abs().max()
        return bool(error < 0.01 * COLUMNS**0.5)

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and _passes("packed bf16", trial)


def _try_int8(name: str, levels: int) -> bool:
    def trial() -> bool:
        rows, inputs = _extreme_operands(levels)
        packed, scales = prepack_int8(rows), torch.ones(ROWS)
        zero = levels + 1
        wide = [inputs.float() - zero, rows.float()]
        if not torch.equal(int8_product(inputs, zero, packed, scales), F.linear(*wide)):
            return False
        product_s = fastest_s(lambda: int8_product(inputs, zero, packed, scales))
        return product_s < SLOWEST_RATIO * fastest_s(lambda: F.linear(*wide))

    return _passes(name, trial)


def _extreme_operands(levels: int) -> tuple[Tensor, Tensor]:
    """Return int8 rows and uint8 inputs, many of them of the largest magnitude."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(-127, 128, (ROWS, COLUMNS), generator=generator)
    inputs = torch.randint(-levels, levels + 1, (TOKENS, COLUMNS), generator=generator)
    rows[::2], inputs[::2] = 127, levels  # so that all products of a sum have the same sign
    return rows.to(torch.int8), (inputs + levels + 1).to(torch.uint8)


def fastest_s(function: Callable[[], object]) -> float:
    """Return the processor time of the fastest of a few runs with one thread, in seconds.

    It is not affected by other programs, for which several threads mostly wait.
    """
    threads, elapsed_s = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        for _ in range(TRIAL_RUNS):
            start_s = time.thread_time()
            function()
            elapsed_s.append(time.thread_time() - start_s)
    finally:
        torch.set_num_threads(threads)
    return min(elapsed_s)


def _passes(name: str, trial: Callable[[], bool]) -> bool:
    """Run a trial. Log why it failed."""
    try:
        passed = trial()
    except TRIAL_ERRORS as error:
        log.info("%s: not available here (%s)", name, error)
        return False
    if not passed:
        log.info("%s: wrong or slow here, and not used", name)
    return passed
