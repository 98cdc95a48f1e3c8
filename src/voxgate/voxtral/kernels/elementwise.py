"""Native kernels that take one pass over an array where eager operators take several.

Part of `native`, which says whether they can be used. All compute in float32.
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
    """What product * scales + bias is [count, width], or its GELU, as `dtype`.

    `product` is float32, contiguous, and the result takes its place where `dtype` is float32, the
    other being bfloat16; `scales` has `count` numbers and `bias` `width`, float32. GELU is by erf,
    with an absolute error of 2e-7 max(1, |x|). Raises `UsageError` for other shapes and types.
    """
    count, width = product.shape
    _check(product, scales, *([] if bias is None else [bias]))
    if scales.numel() != count or (bias is not None and bias.numel() != width):
        raise UsageError(
            f"A product {tuple(product.shape)} was given {scales.numel()} scales and a bias of "
            f"{0 if bias is None else bias.numel()}. Give it a scale a row, and a bias a column."
        )
    out = product if dtype is torch.float32 else torch.empty_like(product, dtype=dtype)
    where, wide = address(out)
    load_kernels().finish(
        product.data_ptr(), scales.data_ptr(), 0 if bias is None else bias.data_ptr(), gelu,
        where, wide, count, width, torch.get_num_threads(),
    )  # fmt: skip
    return out


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Rows x / sqrt(mean(x²) + eps) * weight, float32 [..., width].

    The last dimension of x lies side by side. Raises `UsageError` for other shapes and types.
    """
    width = x.shape[-1]
    rows = x.reshape(-1, width)
    where, wide = address(rows)
    _check(weight)
    if not wide or weight.shape != (width,):
        raise UsageError(
            f"A norm of {x.dtype} {tuple(x.shape)} was given weights {tuple(weight.shape)}. Give "
            "it float32, and one weight a column."
        )
    out = torch.empty(x.shape)
    load_kernels().rms_norm(
        where, rows.stride(0), weight.data_ptr(), eps, out.data_ptr(), rows.shape[0], width,
        torch.get_num_threads(),
    )  # fmt: skip
    return out


def silu_mul(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up, float32 [..., width], contiguous.

    Both are float32 in the same strides, as the halves of one product have them. Raises
    `UsageError` for others.
    """
    width = gate.shape[-1]
    gates, ups = gate.reshape(-1, width), up.reshape(-1, up.shape[-1])
    (at_gate, wide), (at_up, as_wide) = address(gates), address(ups)
    if not (wide and as_wide and gate.shape == up.shape and gates.stride() == ups.stride()):
        raise UsageError(
            f"A gate of {gate.dtype} {tuple(gate.shape)} was given {up.dtype} {tuple(up.shape)}. "
            "Give it float32 twice, of one shape and in the same strides."
        )
    out = torch.empty(gate.shape)
    load_kernels().silu_mul(
        at_gate, at_up, gates.stride(0), out.data_ptr(), gates.shape[0], width,
        torch.get_num_threads(),
    )  # fmt: skip
    return out


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions of x [slots, heads, new, head_dim], float32, as bfloat16.

    Channels j and j + head_dim / 2 turn by the angle whose cosine and sine [slots, 1, new,
    head_dim / 2] has; those are contiguous. The result lies as [slots, new, heads, head_dim], which
    is how a product gives x. Raises `UsageError` for other shapes and types.
    """
    slots, heads, new, head_dim = x.shape
    rows = x.transpose(1, 2).reshape(slots * new, heads, head_dim)
    if heads > 1 and rows.stride(1) != head_dim:
        rows = rows.contiguous()
    where, wide = address(rows)
    _check(cos, sin)
    if not wide or head_dim % 2 or not cos.shape == sin.shape == (slots, 1, new, head_dim // 2):
        raise UsageError(
            f"Heads of {x.dtype} {tuple(x.shape)} were given the turns {tuple(cos.shape)} and "
            f"{tuple(sin.shape)}. Give them float32, and an angle for each position and pair."
        )
    out = torch.empty((slots, new, heads, head_dim), dtype=torch.bfloat16)
    load_kernels().turn(
        where, rows.stride(0), cos.data_ptr(), sin.data_ptr(), out.data_ptr(), slots * new, heads,
        head_dim // 2, torch.get_num_threads(),
    )  # fmt: skip
    return out.transpose(1, 2)


def elementwise_trials(x: Tensor) -> Iterator[tuple[str, Tensor, Tensor, float]]:
    """Each kernel's name, what it computes, what PyTorch does, and how far they may differ.

    `x` is float32 [5, 100].
    """
    scales, weight = x[:, :1].contiguous(), x[0]
    wide, exact, rounded = x * scales + weight, 1e-6, 0.004
    yield "finish", scale_and_bias(x.clone(), scales, weight, gelu=True), F.gelu(wide), exact
    yield "finish", scale_and_bias(x.clone(), scales, weight, dtype=torch.bfloat16), wide, rounded
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
    turned = torch.complex(first, second) * torch.polar(torch.ones_like(angles), angles)
    expected = torch.cat((turned.real, turned.imag), dim=-1)
    yield "turn", rotate(heads, angles.cos(), angles.sin()), expected, rounded


def _check(*tensors: Tensor) -> None:
    for tensor in tensors:
        if tensor.dtype is not torch.float32 or not tensor.is_cpu or not tensor.is_contiguous():
            raise UsageError(
                f"A kernel was given {tensor.dtype} {tuple(tensor.shape)} on {tensor.device} in "
                f"strides {tensor.stride()}. It takes contiguous float32 on the processor here."
            )
