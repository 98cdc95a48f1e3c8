"""Linear layers, y = x Wᵀ + b, whose weights are stored in a quantization scheme.

This is the only module that chooses a class by scheme. A network is described with
`torch.nn.Linear`, which serves fp32, and bf16 on a GPU. `quantize` returns the arrays that another
scheme stores instead, and `from_arrays` builds the module over such arrays, whether they are in
memory or in a mapped file.
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
"""The arrays of a quantized module by name. Each is contiguous."""


def quantize(scheme: Scheme, weights: Sequence[Tensor], biases: Sequence[Tensor | None]) -> Arrays:
    """Quantize matrices [out, in] of any type, stacked into one layer.

    Where only some have a bias, the others' is zero.
    """
    arrays = _linear_class(scheme).pack(weights[0] if len(weights) == 1 else torch.cat([*weights]))
    if any(bias is not None for bias in biases):
        arrays["bias"] = torch.cat(
            [
                torch.zeros(len(weight)) if bias is None else bias.float()
                for weight, bias in zip(weights, biases, strict=True)
            ]
        )
    return arrays


def from_arrays(scheme: Scheme, arrays: Arrays) -> nn.Module:
    """Build the layer over the arrays of `quantize`. It keeps them and writes to none."""
    return _linear_class(scheme)(arrays)


def _linear_class(scheme: Scheme) -> type[Int8Linear | Int4Linear | W4A8Linear]:
    """Return the class for a scheme, which uses native kernels where they are available."""
    if scheme == "int8":
        return Int8Linear
    return W4A8Linear if dispatch.native_ops() else Int4Linear


class LinearGroup(nn.Module):
    """Linear layers of the same input. Quantization replaces it by one `FusedLinear`."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map [..., in] to [..., out] of each layer, in order."""
        return tuple(layer(x) for layer in self.children())


class FusedLinear(nn.Module):
    """A quantized `LinearGroup`: its input is quantized and read once."""

    def __init__(self, linear: nn.Module, sizes: Sequence[int]) -> None:
        """`linear` has the rows of all layers, and `sizes` the number of rows of each."""
        super().__init__()
        self.linear, self.sizes = linear, list(sizes)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map [..., in] to [..., out] of each layer, in order."""
        parts: tuple[Tensor, ...] = self.linear(x).split(self.sizes, dim=-1)
        return parts


class PrepackedLinear(nn.Module):
    """A bf16 layer in the layout that oneDNN's product reads: the same sums, no reordering."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())  # noqa: SLF001
        self.register_buffer("weight", weight)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        product = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 (checked by `onednn`)
        out: Tensor = product(x, self.weight, self.bias, "none", [], "")
        return out
