"""The native kernels as functions of tensors.

They come with the optional package `voxgate-kernels` (`make kernels`), for processors with AVX2 or
with ARM's dot products. Call `is_available` first, and use PyTorch's operators if it returns False.
No function supports gradients. docs/decisions/0013-kernels.md lists what each kernel gains.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.errors import UsageError
from voxgate.voxtral.kernels.bindings import address, head_strides, load_kernels, why_missing
from voxgate.voxtral.kernels.dispatch import HEAD_DIM_STEP, MAX_HEAD_DIM
from voxgate.voxtral.kernels.elementwise import (
    elementwise_trials,
    rms_norm,
    rotate,
    scale_and_bias,
    silu_mul,
)
from voxgate.voxtral.kernels.packing import Int4Weight, Int8Weight, int8_panels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = [
    "Int4Weight",
    "Int8Weight",
    "attention",
    "is_available",
    "linear_w4a8",
    "linear_w8a8",
    "quantize_rows",
    "rms_norm",
    "rotate",
    "scale_and_bias",
    "silu_mul",
    "why_unavailable",
]


def is_available() -> bool:
    """Return whether the kernels can be used here: see `why_unavailable`."""
    return why_unavailable() is None


@cache
def why_unavailable() -> str | None:
    """Return why the kernels cannot be used, as a sentence without its full stop; else None.

    They can be used if the package is installed and has the right interface, the processor has the
    instructions, and each kernel agrees with PyTorch on small tensors. Checked once.
    """
    return why_missing() or _find_disagreement()


def quantize_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Quantize rows to 8 bits: return q [..., width] uint8 and scales [..., 1] float32.

    x is float32 or bfloat16 [..., width], and approximately (q - 128) * scale, where scale is the
    row's largest magnitude / 127. oneDNN takes this form: unsigned, with zero point 128. A row of
    zeros has scale 1, and a row with a number that is not finite has scale NaN. Raises `UsageError`
    for another type.
    """
    rows = x.reshape(-1, x.shape[-1])
    rows_address, wide = address(rows)
    count, width = rows.shape
    q = torch.empty(x.shape, dtype=torch.uint8)
    scale = torch.empty((*x.shape[:-1], 1), dtype=torch.float32)
    threads = torch.get_num_threads()
    load_kernels().quantise_rows(
        rows_address, wide, rows.stride(0), q.data_ptr(), scale.data_ptr(), count, width, threads
    )
    return q, scale


def linear_w4a8(x: Tensor, weight: Int4Weight) -> Tensor:
    """Multiply rows x [..., inputs] by the transposed matrix: return [..., outputs] of x's type.

    x is float32 or bfloat16. It is quantized to int8 with a scale for each row and each group of
    32 inputs, the same groups as in the weights. Sums are exact within a group, and float32 across
    groups. Raises `UsageError` for another width or type.
    """
    rows = _flatten_rows(x, weight)
    rows_address, wide = address(rows)
    out = torch.empty((*x.shape[:-1], weight.outputs), dtype=x.dtype)
    load_kernels().int4_product(
        weight.data.data_ptr(), rows_address, wide, rows.stride(0), out.data_ptr(), rows.shape[0],
        weight.outputs, weight.inputs, torch.get_num_threads(),
    )  # fmt: skip
    return out


def linear_w8a8(
    x: Tensor, weight: Int8Weight, *, gelu: bool = False, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Multiply rows x [..., inputs] by the transposed matrix, add its bias, apply GELU.

    Returns [..., outputs] as float32 or bfloat16. x is float32 or bfloat16, and is quantized as by
    `quantize_rows`; sums are exact, so that a row does not depend on the others, nor on the level.
    Raises `UsageError` for another width or type.
    """
    rows = _flatten_rows(x, weight)
    rows_address, wide = address(rows)
    out = torch.empty((*x.shape[:-1], weight.outputs), dtype=dtype)
    out_address, out_wide = address(out)
    bias = 0 if weight.bias is None else weight.bias.data_ptr()
    load_kernels().int8_product(
        (weight.packed.data_ptr(), weight.scales.data_ptr(), bias), rows_address, wide,
        rows.stride(0), gelu, out_address, out_wide, rows.shape[0], weight.outputs, weight.inputs,
        torch.get_num_threads(),
    )  # fmt: skip
    return out


def _flatten_rows(x: Tensor, weight: Int4Weight | Int8Weight) -> Tensor:
    if x.shape[-1] != weight.inputs:
        raise UsageError(
            f"A product with a packed matrix of {weight.outputs} x {weight.inputs} was given rows "
            f"of {x.shape[-1]}. It needs rows of {weight.inputs}."
        )
    return x.reshape(-1, weight.inputs)


def attention(
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    slots: Sequence[int] | None = None,
    lengths: Sequence[int] | None = None,
    causal: bool = False,
) -> Tensor:
    """Return softmax(q · keys / √head_dim) · values, bfloat16 [sequences, heads, rows, head_dim].

    q is [sequences, heads, rows, head_dim], keys and values are [slots, kv_heads, positions,
    head_dim], all bfloat16. Only head_dim must be contiguous, so that a KV cache is read in place.
    A sequence reads the slot in `slots` (by default its own index) and the first `lengths`
    positions of it (by default all). `heads / kv_heads` queries share a key. With `causal` the rows
    are the last ones of their sequence: row r attends to the first length - rows + 1 + r positions.

    The result's memory is ordered [sequences, rows, heads, head_dim], so that
    transpose(1, 2).flatten(2) copies nothing. Sums are float32. Where the processor multiplies
    bfloat16, attention weights are rounded to it before they are multiplied by the values;
    otherwise everything is widened to float32. Up to 16 rows of causal attention have the bits that
    each would have alone. Raises `UsageError` for other shapes and types, a head_dim that is not a
    multiple of 16 up to 256, and lengths that do not fit.
    """
    sequences, heads, rows, head_dim = q.shape
    slots = range(sequences) if slots is None else slots
    lengths = [keys.shape[2]] * sequences if lengths is None else lengths
    _check_heads(q, keys, values)
    _check_slots(slots, lengths, sequences, keys.shape, rows if causal else 1)
    tensors = [address(tensor)[0] for tensor in (q, keys, values)]
    out = torch.empty((sequences, rows, heads, head_dim), dtype=q.dtype)
    load_kernels().attend(
        (tensors[0], tensors[1], tensors[2], out.data_ptr()),
        head_strides(q), head_strides(keys), head_strides(values), list(slots), list(lengths),
        (rows, heads, keys.shape[1], head_dim), causal, head_dim**-0.5, torch.get_num_threads(),
    )  # fmt: skip
    return out.transpose(1, 2)


def _check_heads(q: Tensor, keys: Tensor, values: Tensor) -> None:
    same = keys.shape == values.shape and q.shape[3] == keys.shape[3]
    bf16 = q.dtype is keys.dtype is values.dtype is torch.bfloat16
    fits = q.shape[3] % HEAD_DIM_STEP == 0 and q.shape[3] <= MAX_HEAD_DIM
    if not (same and bf16 and fits and q.shape[1] % keys.shape[1] == 0):
        raise UsageError(
            f"Attention was given queries {tuple(q.shape)}, keys {tuple(keys.shape)} and values "
            f"{tuple(values.shape)} of {q.dtype}. The kernel takes bfloat16, a head_dim that is a "
            "multiple of 16 up to 256, and a multiple of the keys' heads. Use PyTorch's for these."
        )


def _check_slots(
    slots: Sequence[int], lengths: Sequence[int], sequences: int, keys: torch.Size, min_length: int
) -> None:
    inside = all(0 <= slot < keys[0] for slot in slots)
    fits = all(min_length <= length <= keys[2] for length in lengths)
    if not (inside and fits and len(slots) == len(lengths) == sequences):
        raise UsageError(
            f"{sequences} sequences were given the slots {list(slots)} and lengths {list(lengths)} "
            f"of a cache of {keys[0]} slots with {keys[2]} positions. Each needs one slot, and at "
            f"least {min_length} positions."
        )


def _find_disagreement() -> str | None:
    """Return which kernel disagrees with PyTorch on small odd shapes, as a sentence."""
    draw = torch.Generator().manual_seed(0)
    x, w = (torch.randn(shape, generator=draw) for shape in ((5, 100), (70, 100)))
    q, scale = quantize_rows(x)
    if _error((q.float() - 128) * scale, x) > 0.02:
        return "the kernel quantize_rows disagrees with PyTorch"
    packed = Int4Weight.pack(w)
    if _error(linear_w4a8(x, packed), x @ packed.unpack().T) > 0.02:
        return "the kernel linear_w4a8 disagrees with PyTorch"
    rows = torch.randint(-127, 128, (70, 128), generator=draw, dtype=torch.int8)
    int8_weight, wide = Int8Weight(int8_panels(rows), torch.ones(70), None, 128), F.pad(x, (0, 28))
    if _error(linear_w8a8(wide, int8_weight), wide @ rows.float().T) > 0.02:
        return "the kernel linear_w8a8 disagrees with PyTorch"
    heads, kv = (torch.randn(2, n, 37, 48, generator=draw).bfloat16() for n in (4, 2))
    expected = F.scaled_dot_product_attention(heads, kv, kv, is_causal=True, enable_gqa=True)
    if _error(attention(heads, kv, kv, causal=True), expected) > 0.02:
        return "the kernel attention disagrees with PyTorch"
    for name, ours, expected, bound in elementwise_trials(x):
        if not _error(ours, expected) <= bound:
            return f"the kernel {name} disagrees with PyTorch"
    return None


def _error(ours: Tensor, expected: Tensor) -> float:
    """Return the relative error, by the norm of all numbers."""
    difference = ours.float() - expected.float()
    return float(difference.norm() / expected.float().norm())
