"""The one seam: linear maps, y = x Wᵀ + b, whose weights are held in a scheme.

A network is described with `torch.nn.Linear`, which is the scheme fp32, and bf16 off a processor.
`quantize` gives the arrays that another scheme holds instead, and `from_arrays` the module over
such arrays, wherever they lie: in memory, or in a file that is mapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import nn

from voxgate.voxtral.kernels import dispatch
from voxgate.voxtral.kernels.dispatch import W4A8Linear
from voxgate.voxtral.quantization.int4 import Int4Linear
from voxgate.voxtral.quantization.int8 import Int8Linear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from voxgate.voxtral.quantization.profiles import Scheme

Arrays: TypeAlias = "dict[str, Tensor]"
"""What a module is made over, by name; each contiguous."""


def _class(scheme: Scheme) -> type[Int8Linear | Int4Linear | W4A8Linear]:
    """What holds a quantised scheme here: native kernels where there are some."""
    if scheme == "int8":
        return Int8Linear
    return W4A8Linear if dispatch.native_ops() else Int4Linear


def quantize(scheme: Scheme, weights: Sequence[Tensor], biases: Sequence[Tensor | None]) -> Arrays:
    """The arrays of one map, of these matrices [out, in] one below the other, of any type.

    A bias that is missing among others counts as zeros.
    """
    arrays = _class(scheme).arrays(weights[0] if len(weights) == 1 else torch.cat([*weights]))
    if any(bias is not None for bias in biases):
        arrays["bias"] = torch.cat(
            [
                torch.zeros(len(weight)) if bias is None else bias.float()
                for weight, bias in zip(weights, biases, strict=True)
            ]
        )
    return arrays


def from_arrays(scheme: Scheme, arrays: Arrays) -> nn.Module:
    """The map over such arrays; it keeps them, and writes to none."""
    return _class(scheme)(arrays)


class LinearGroup(nn.Module):
    """Maps of the same input: one product instead of several, where they are quantised."""

    def __init__(self, **maps: nn.Module) -> None:
        super().__init__()
        for name, linear in maps.items():
            self.add_module(name, linear)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """[..., in] to [..., out] of each, in order."""
        return tuple(linear(x) for linear in self.children())


class FusedLinear(nn.Module):
    """What a `LinearGroup` becomes: its input is quantised and read once."""

    def __init__(self, linear: nn.Module, sizes: Sequence[int]) -> None:
        """`linear` has all rows; `sizes` says how many each map has."""
        super().__init__()
        self.linear, self.sizes = linear, list(sizes)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """[..., in] to [..., out] of each, in order."""
        parts: tuple[Tensor, ...] = self.linear(x).split(self.sizes, dim=-1)
        return parts


class PrepackedLinear(nn.Module):
    """bf16 in the order that oneDNN's product reads it in: the same sums, without reordering."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())  # noqa: SLF001
        self.register_buffer("weight", weight)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        product = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 (tried by `operators`)
        out: Tensor = product(x, self.weight, self.bias, "none", [], "")
        return out
