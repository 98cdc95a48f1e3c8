"""Native kernels that make one pass over an array where eager operators make several.

`ops.is_available` reports whether they can be used. All compute in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.errors import UsageError
from voxgate.voxtral.kernels.bindings import address, load_kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

TRIAL_EPS = 1e-5


def scale_and_bias(
    product: Tensor,
    scales: Tensor,
    bias: Tensor | None = None,
    *,
    gelu: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return product * scales + bias [count, width], or its GELU, as float32 or bfloat16.

    `product` is contiguous float32, and is overwritten where `dtype` is float32. `scales` has
    `count` float32 numbers and `bias` has `width`. GELU is computed by erf, with an absolute error
    of 2e-7 max(1, |x|). Raises `UsageError` for other shapes and types.
    """
    count, width = product.shape
    _check_float32(product, scales, *([] if bias is None else [bias]))
    if scales.numel() != count or (bias is not None and bias.numel() != width):
        raise UsageError(
            f"A product {tuple(product.shape)} was given {scales.numel()} scales and a bias of "
            f"{0 if bias is None else bias.numel()}. It needs a scale a row and a bias a column."
        )
    out = product if dtype is torch.float32 else torch.empty_like(product, dtype=dtype)
    out_address, wide = address(out)
    load_kernels().finish(
        product.data_ptr(), scales.data_ptr(), 0 if bias is None else bias.data_ptr(), gelu,
        out_address, wide, count, width, torch.get_num_threads(),
    )  # fmt: skip
    return out


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return x / sqrt(mean(x²) + eps) * weight for each row, float32 [..., width].

    The last dimension of x is contiguous. Raises `UsageError` for other shapes and types.
    """
    width = x.shape[-1]
    rows = x.reshape(-1, width)
    rows_address, wide = address(rows)
    _check_float32(weight)
    if not wide or weight.shape != (width,):
        raise UsageError(
            f"A norm of {x.dtype} {tuple(x.shape)} was given weights {tuple(weight.shape)}. It "
            "needs float32, and one weight a column."
        )
    out = torch.empty(x.shape)
    load_kernels().rms_norm(
        rows_address, rows.stride(0), weight.data_ptr(), eps, out.data_ptr(), rows.shape[0], width,
        torch.get_num_threads(),
    )  # fmt: skip
    return out


def silu_mul(gate: Tensor, up: Tensor) -> Tensor:
    """Return silu(gate) * up, contiguous float32 [..., width].

    Both are float32 with the same strides, as the halves of one product have. Raises `UsageError`
    for other shapes and types.
    """
    width = gate.shape[-1]
    gates, ups = gate.reshape(-1, width), up.reshape(-1, up.shape[-1])
    (gate_address, gate_wide), (up_address, up_wide) = address(gates), address(ups)
    if not (gate_wide and up_wide and gate.shape == up.shape and gates.stride() == ups.stride()):
        raise UsageError(
            f"A gate of {gate.dtype} {tuple(gate.shape)} was given {up.dtype} {tuple(up.shape)}. "
            "Both must be float32, of one shape and with the same strides."
        )
    out = torch.empty(gate.shape)
    load_kernels().silu_mul(
        gate_address, up_address, gates.stride(0), out.data_ptr(), gates.shape[0], width,
        torch.get_num_threads(),
    )  # fmt: skip
    return out


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary embeddings to x [slots, heads, new, head_dim], float32; return bfloat16.

    Channels j and j + head_dim / 2 are rotated by the angle whose cosine and sine are in `cos` and
    `sin`, contiguous float32 [slots, 1, new, head_dim / 2]. The result is a view of memory ordered
    [slots, new, heads, head_dim], the order in which a product returns x. Raises `UsageError` for
    other shapes and types.
    """
    slots, heads, new, head_dim = x.shape
    rows = x.transpose(1, 2).reshape(slots * new, heads, head_dim)
    if heads > 1 and rows.stride(1) != head_dim:
        rows = rows.contiguous()
    rows_address, wide = address(rows)
    _check_float32(cos, sin)
    if not wide or head_dim % 2 or not cos.shape == sin.shape == (slots, 1, new, head_dim // 2):
        raise UsageError(
            f"Heads of {x.dtype} {tuple(x.shape)} were given the angles {tuple(cos.shape)} and "
            f"{tuple(sin.shape)}. They need float32, and an angle for each position and pair."
        )
    out = torch.empty((slots, new, heads, head_dim), dtype=torch.bfloat16)
    load_kernels().turn(
        rows_address, rows.stride(0), cos.data_ptr(), sin.data_ptr(), out.data_ptr(), slots * new,
        heads, head_dim // 2, torch.get_num_threads(),
    )  # fmt: skip
    return out.transpose(1, 2)


def elementwise_trials(x: Tensor) -> Iterator[tuple[str, Tensor, Tensor, float]]:
    """Yield each kernel's name, its result, PyTorch's result, and the largest relative error.

    `x` is float32 [5, 100].
    """
    scales, weight = x[:, :1].contiguous(), x[0]
    wide, exact, rounded = x * scales + weight, 1e-6, 0.004
    fused = scale_and_bias(x.clone(), scales, weight, gelu=True)
    yield "scale_and_bias", fused, F.gelu(wide), exact
    fused = scale_and_bias(x.clone(), scales, weight, dtype=torch.bfloat16)
    yield "scale_and_bias", fused, wide, rounded
    yield (
        "rms_norm",
        rms_norm(x, weight, TRIAL_EPS),
        F.rms_norm(x, weight.shape, weight, TRIAL_EPS),
        exact,
    )
    yield "silu_mul", silu_mul(x, x), F.silu(x) * x, exact
    angles = x[:, :10].contiguous().view(1, 1, 5, 10)
    heads = x.view(1, 5, 5, 20).transpose(1, 2)
    first, second = heads.chunk(2, dim=-1)
    rotated = torch.complex(first, second) * torch.polar(torch.ones_like(angles), angles)
    expected = torch.cat((rotated.real, rotated.imag), dim=-1)
    yield "rotate", rotate(heads, angles.cos(), angles.sin()), expected, rounded


def _check_float32(*tensors: Tensor) -> None:
    for tensor in tensors:
        if tensor.dtype is not torch.float32 or not tensor.is_cpu or not tensor.is_contiguous():
            raise UsageError(
                f"A kernel was given {tensor.dtype} {tuple(tensor.shape)} on {tensor.device} in "
                f"strides {tensor.stride()}. It takes contiguous float32 on the CPU here."
            )
