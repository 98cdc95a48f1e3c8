"""What native kernels compute faster than PyTorch, on tensors.

They come with the optional package `voxgate-kernels` (`make kernels`), for processors with AVX-512
VNNI and BF16. Ask `available()` first, and take PyTorch's operators where it says no. Nothing here
keeps a gradient. docs/decisions/0013-kernels.md has what each is worth.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.errors import UsageError
from voxgate.voxtral.kernels.bindings import address, byte_distances, load_kernels, why_missing
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
    "quantise_rows",
    "rms_norm",
    "rotate",
    "scale_and_bias",
    "silu_mul",
    "why_unavailable",
]

HEAD_DIM_STEP, WIDEST_HEAD = 16, 256


def is_available() -> bool:
    """Whether the kernels can be used here: see `why_unavailable`."""
    return why_unavailable() is None


@cache
def why_unavailable() -> str | None:
    """Why the kernels cannot be used here, as a sentence without its full stop; None if they can.

    They can if the package is installed and of this version, the processor has the instructions,
    and each kernel agreed with PyTorch on small tensors. Found out once.
    """
    return why_missing() or _disagreement()


def quantise_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows to eight bits: q [..., width] uint8 and scales [..., 1] float32.

    x is float32 or bfloat16 [..., width], and about (q - 128) * scale, where scale is the row's
    largest magnitude / 127. That is what oneDNN wants: unsigned, with zero point 128. A row of
    zeros has scale 1, one with a number that is not finite has scale NaN. Raises `UsageError` for
    another type.
    """
    rows = x.reshape(-1, x.shape[-1])
    where, wide = address(rows)
    count, width = rows.shape
    q = torch.empty(x.shape, dtype=torch.uint8)
    scale = torch.empty((*x.shape[:-1], 1), dtype=torch.float32)
    threads = torch.get_num_threads()
    load_kernels().quantise_rows(
        where, wide, rows.stride(0), q.data_ptr(), scale.data_ptr(), count, width, threads
    )
    return q, scale


def linear_w4a8(x: Tensor, weight: Int4Weight) -> Tensor:
    """Rows x [..., inputs] times the transposed matrix: [..., outputs], of x's type.

    x is float32 or bfloat16. Its numbers become int8, with a scale for each row and each 32
    inputs, which share a scale in the weights too; sums are exact within the 32, and float32
    across them.
    Raises `UsageError` for another width or type.
    """
    rows = _rows(x, weight)
    where, wide = address(rows)
    out = torch.empty((*x.shape[:-1], weight.outputs), dtype=x.dtype)
    load_kernels().product(
        weight.data.data_ptr(), where, wide, rows.stride(0), out.data_ptr(), rows.shape[0],
        weight.outputs, weight.inputs, torch.get_num_threads(),
    )  # fmt: skip
    return out


def linear_w8a8(x: Tensor, weight: Int8Weight) -> Tensor:
    """Rows x [..., inputs] times the transposed matrix, with its bias: float32 [..., outputs].

    x is float32 or bfloat16, and becomes eight bits by `quantise_rows`; sums are exact. It reads
    the weights once for six rows. Raises `UsageError` for another width or type.
    """
    rows = _rows(x, weight)
    where, wide = address(rows)
    out = torch.empty((*x.shape[:-1], weight.outputs), dtype=torch.float32)
    bias = 0 if weight.bias is None else weight.bias.data_ptr()
    load_kernels().int8_product(
        (weight.packed.data_ptr(), weight.scales.data_ptr(), bias), where, wide, rows.stride(0),
        out.data_ptr(), rows.shape[0], weight.outputs, weight.inputs, torch.get_num_threads(),
    )  # fmt: skip
    return out


def _rows(x: Tensor, weight: Int4Weight | Int8Weight) -> Tensor:
    if x.shape[-1] != weight.inputs:
        raise UsageError(
            f"A product with a packed matrix of {weight.outputs} x {weight.inputs} was given rows "
            f"of {x.shape[-1]}. Give it rows of {weight.inputs}."
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
    """softmax(q · keys / √head_dim) · values: [sequences, heads, rows, head_dim], bfloat16.

    q is [sequences, heads, rows, head_dim], keys and values [slots, kv_heads, positions, head_dim],
    all bfloat16 in any strides that keep head_dim side by side: a cache is read where it lies. A
    sequence reads the slot that `slots` names (its own number, where it is None) and the first
    `lengths` positions of it (all of them). `heads / kv_heads` queries share a key. With `causal`
    the rows are the last of their sequence: row r sees the first length - rows + 1 + r positions.

    The result lies as [sequences, rows, heads, head_dim], so that transpose(1, 2).flatten(2) copies
    nothing. Sums are float32; weights are rounded to bfloat16 before they meet the values. Raises
    `UsageError` for other shapes and types, a head_dim that is no multiple of 16 or above 256, and
    lengths without room.
    """
    sequences, heads, rows, head_dim = q.shape
    slots = range(sequences) if slots is None else slots
    lengths = [keys.shape[2]] * sequences if lengths is None else lengths
    _check_heads(q, keys, values)
    _check_places(slots, lengths, sequences, keys.shape, rows if causal else 1)
    tensors = [address(tensor)[0] for tensor in (q, keys, values)]
    out = torch.empty((sequences, rows, heads, head_dim), dtype=q.dtype)
    load_kernels().attend(
        (tensors[0], tensors[1], tensors[2], out.data_ptr()),
        byte_distances(q), byte_distances(keys), byte_distances(values), list(slots), list(lengths),
        (rows, heads, keys.shape[1], head_dim), causal, head_dim**-0.5, torch.get_num_threads(),
    )  # fmt: skip
    return out.transpose(1, 2)


def _check_heads(q: Tensor, keys: Tensor, values: Tensor) -> None:
    same = keys.shape == values.shape and q.shape[3] == keys.shape[3]
    bf16 = q.dtype is keys.dtype is values.dtype is torch.bfloat16
    fits = q.shape[3] % HEAD_DIM_STEP == 0 and q.shape[3] <= WIDEST_HEAD
    if not (same and bf16 and fits and q.shape[1] % keys.shape[1] == 0):
        raise UsageError(
            f"Attention was given queries {tuple(q.shape)}, keys {tuple(keys.shape)} and values "
            f"{tuple(values.shape)} of {q.dtype}. The kernel takes bfloat16, a head_dim that is a "
            "multiple of 16 up to 256, and a multiple of the keys' heads. Take PyTorch's for these."
        )


def _check_places(
    slots: Sequence[int], lengths: Sequence[int], sequences: int, keys: torch.Size, least: int
) -> None:
    inside = all(0 <= slot < keys[0] for slot in slots)
    room = all(least <= length <= keys[2] for length in lengths)
    if not (inside and room and len(slots) == len(lengths) == sequences):
        raise UsageError(
            f"{sequences} sequences were given the slots {list(slots)} and lengths {list(lengths)} "
            f"of a cache of {keys[0]} slots with {keys[2]} positions. Each needs one slot, and at "
            f"least {least} positions."
        )


def _disagreement() -> str | None:
    """Which kernel does not compute what PyTorch computes, on small odd shapes."""
    draw = torch.Generator().manual_seed(0)
    x, w = (torch.randn(shape, generator=draw) for shape in ((5, 100), (70, 100)))
    q, scale = quantise_rows(x)
    if _error((q.float() - 128) * scale, x) > 0.02:
        return "the kernel quantise_rows disagrees with PyTorch"
    packed = Int4Weight.pack(w)
    if _error(linear_w4a8(x, packed), x @ packed.unpacked().T) > 0.02:
        return "the kernel linear_w4a8 disagrees with PyTorch"
    rows = torch.randint(-127, 128, (70, 128), generator=draw, dtype=torch.int8)
    eight, wide = Int8Weight(int8_panels(rows), torch.ones(70), None, 128), F.pad(x, (0, 28))
    if _error(linear_w8a8(wide, eight), wide @ rows.float().T) > 0.02:
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
    """Relative, of all numbers together."""
    difference = ours.float() - expected.float()
    return float(difference.norm() / expected.float().norm())
