"""PyTorch's private operators that we use, each tried once before it is trusted.

They are what `torch.compile` calls, without promise: another version or processor may lack one,
compute it differently, or silently take a kernel that is a thousand times slower. A trial compares
with plain arithmetic on a small matrix, and looks at the clock. Who finds one wanting uses plain
PyTorch instead. `contents` and `restore_packed` are how PyTorch's own compiler ships packed
weights.
"""

# ruff: noqa: SLF001 (they are private: hence this file)

from __future__ import annotations

import ctypes
import hashlib
import logging
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.hardware.cpu import supports_dtype
from voxgate.voxtral.quantization.profiles import GROUP_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

logger = logging.getLogger(__name__)

ROWS, COLUMNS, TOKENS = 192, 256, 16  # of the trials' matrices
TRIAL_ROWS = 8  # the step of 4 bits that a group's stored zero stands for
TRIAL_RUNS = 9  # of which the fastest counts
SLOWEST_RATIO = 8.0  # times as long as float32, which no kernel that is meant takes
FAILURES = (RuntimeError, AttributeError, NotImplementedError, TypeError)


def prepack_int8(rows: Tensor) -> Tensor:
    """int8 [out, in] in the order that the product reads it in; opaque."""
    packed: Tensor = torch.ops.onednn.qlinear_prepack(rows, None)
    return packed


def int8_product(inputs: Tensor, zero: int, packed: Tensor, scales: Tensor) -> Tensor:
    """float32 [tokens, out] of uint8 [tokens, in], whose `zero` stands for 0."""
    product: Tensor = torch.ops.onednn.qlinear_pointwise(
        inputs, 1.0, zero, packed, scales, _zeros(len(scales)), None, 1.0, 0, torch.float32,
        "none", [], "",
    )  # fmt: skip
    return product


@cache
def _zeros(count: int) -> Tensor:
    """The zero points of weights, which are all 0."""
    return torch.zeros(count, dtype=torch.int64)


@cache
def int8_levels() -> int | None:
    """How far from zero inputs of the integer product may go; None where it cannot be used.

    Without VNNI two products are added in 16 bits, which overflow: there 63 fit, at half the
    precision, and 127 do not.
    """
    return next((levels for levels in (127, 63) if _tried(f"int8 to {levels}", levels)), None)


@cache
def can_restore() -> bool:
    """Whether packed weights can be taken apart and put together again around other memory."""
    if int8_levels() is None:
        return False

    def trial() -> bool:
        rows, inputs = _extreme(127)
        packed, scales = prepack_int8(rows), torch.ones(ROWS)
        held, layout = packed_contents(packed)
        again = restore_packed(held, layout, tuple(packed.shape))
        products = [int8_product(inputs, 128, each, scales) for each in (packed, again)]
        return torch.equal(*products)

    return _holds("packed weights from memory", trial)


@cache
def packed_layout() -> str:
    """A name for how weights are packed here: another order has another name."""
    _, layout = packed_contents(prepack_int8(_extreme(127)[0]))
    return hashlib.sha256(layout.numpy().tobytes()).hexdigest()


def packed_contents(packed: Tensor) -> tuple[Tensor, Tensor]:
    """A packed weight's bytes, copied, and the description of their order."""
    operators = torch.ops.mkldnn
    size = operators._nbytes(packed)
    raw = (ctypes.c_uint8 * size).from_address(operators.data_ptr(packed))
    return torch.frombuffer(raw, dtype=torch.uint8).clone(), operators._get_mkldnn_serialized_md(
        packed
    )


def restore_packed(held: Tensor, layout: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The packed weight over bytes that the caller keeps. Raises `RuntimeError`."""
    library = _library()
    described = layout.numpy().tobytes()
    handle = ctypes.c_void_p()
    failed = library.aoti_torch_create_tensor_from_blob_v2(
        ctypes.c_void_p(held.data_ptr()), ctypes.c_int64(2),
        (ctypes.c_int64 * 2)(*shape), (ctypes.c_int64 * 2)(shape[1], 1), ctypes.c_int64(0),
        library.aoti_torch_dtype_int8(), library.aoti_torch_device_type_cpu(), 0,
        ctypes.byref(handle), library.aoti_torch_layout__mkldnn(),
        described, ctypes.c_int64(len(described)),
    )  # fmt: skip
    if failed:
        raise RuntimeError("PyTorch did not take packed weights from memory.")
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
def _library() -> ctypes.CDLL:
    """PyTorch's own, which is loaded already."""
    (path,) = (Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*")
    return ctypes.CDLL(str(path))


def int4_product(inputs: Tensor, packed: Tensor, group: int, scales: Tensor) -> Tensor:
    """bf16 [tokens, out] of bf16 inputs and 4-bit weights as `int4_packed` lays them."""
    rows, columns = 2 * packed.shape[0] * packed.shape[2], packed.shape[1]
    product: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(
        inputs, packed.view(rows, columns // 2), group, scales
    )
    return product


def int4_packed(steps: Tensor, block: int) -> Tensor:
    """uint8 [n / block, k, block / 2] of steps [n, k]: the first half of a block's rows below.

    As `_convert_weight_to_int4pack_for_cpu` lays them, which takes four times the memory.
    """
    blocks = steps.view(-1, block, steps.shape[1]).transpose(1, 2)
    lower, upper = blocks.chunk(2, dim=2)
    return (lower | (upper << 4)).contiguous()


@cache
def int4_block() -> int:
    """Rows of a block of 4-bit weights: as PyTorch's product for this processor reads them."""
    return next((block for block in (64, 32) if _int4_reads(block)), 64)


@cache
def int4_few() -> bool:
    """Whether that product can be used at all."""
    return _int4_reads(int4_block())


@cache
def many_rows_dtype() -> torch.dtype:
    """The type in which ordinary products are fastest here."""
    return torch.bfloat16 if supports_dtype("BF16") else torch.float32


@cache
def _int4_reads(block: int) -> bool:
    def trial() -> bool:
        dice = torch.Generator().manual_seed(0)
        steps = torch.randint(0, 16, (ROWS, COLUMNS), generator=dice, dtype=torch.uint8)
        scales = torch.tensor([1.0, 0.0]).bfloat16().repeat(COLUMNS // GROUP_WEIGHTS, ROWS, 1)
        inputs = torch.randint(-1, 2, (TOKENS, COLUMNS), generator=dice)
        product = int4_product(inputs.bfloat16(), int4_packed(steps, block), GROUP_WEIGHTS, scales)
        right = F.linear(inputs.float(), steps.float() - TRIAL_ROWS)
        return torch.equal(product, right.bfloat16())

    return _holds(f"int4 in blocks of {block}", trial)


@cache
def prepacks_bf16() -> bool:
    """Whether bf16 weights are worth packing: right, and not slower than plain ones."""

    def trial() -> bool:
        weight, x = torch.randn(ROWS, COLUMNS).bfloat16(), torch.randn(TOKENS, COLUMNS).bfloat16()
        packed = torch.ops.mkldnn._reorder_linear_weight(weight)
        ours = torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")
        off = (ours.float() - F.linear(x.float(), weight.float())).abs().max()
        return bool(off < 0.01 * COLUMNS**0.5)

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and _holds("packed bf16", trial)


def _tried(what: str, levels: int) -> bool:
    def trial() -> bool:
        rows, inputs = _extreme(levels)
        packed, scales = prepack_int8(rows), torch.ones(ROWS)
        zero = levels + 1
        wide = [inputs.float() - zero, rows.float()]
        if not torch.equal(int8_product(inputs, zero, packed, scales), F.linear(*wide)):
            return False
        with _one_thread():
            took = _fastest(lambda: int8_product(inputs, zero, packed, scales))
            return took < SLOWEST_RATIO * _fastest(lambda: F.linear(*wide))

    return _holds(what, trial)


def _extreme(levels: int) -> tuple[Tensor, Tensor]:
    """int8 rows, and uint8 inputs around their zero, many of them as large as they come."""
    dice = torch.Generator().manual_seed(0)
    rows = torch.randint(-127, 128, (ROWS, COLUMNS), generator=dice)
    inputs = torch.randint(-levels, levels + 1, (TOKENS, COLUMNS), generator=dice)
    rows[::2], inputs[::2] = 127, levels  # whole sums of one sign
    return rows.to(torch.int8), (inputs + levels + 1).to(torch.uint8)


@contextmanager
def _one_thread() -> Iterator[None]:
    """For what is timed: on a busy machine several wait longer for each other than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _fastest(work: Callable[[], object]) -> float:
    """Of some runs, the least that this thread computed: whoever else is at work does not count."""
    took = []
    for _ in range(TRIAL_RUNS):
        began = time.thread_time()
        work()
        took.append(time.thread_time() - began)
    return min(took)


def _holds(what: str, trial: Callable[[], bool]) -> bool:
    try:
        holds = trial()
    except FAILURES as error:
        logger.info("%s: not here (%s)", what, error)
        return False
    if not holds:
        logger.info("%s: not to be trusted here", what)
    return holds
