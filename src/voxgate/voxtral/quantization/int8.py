"""8-bit weights with a scale for each output channel, 8-bit inputs with a scale for each token.

One scale for a whole input would not work: a few channels of a language model are a thousand times
larger than the others, so that the values of every other token would be rounded to zero. A scale
for each token is the coarsest that works. `tests/voxtral/quantization/test_outliers.py` measures
it.

Products are sums of integers, so that a token's result does not depend on the other tokens of its
batch. Who computes them depends on the processor: see `Int8Layout`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.hardware.int8_panels import INT8_PANEL
from voxgate.hardware.level import usable_flags
from voxgate.voxtral.kernels import dispatch, onednn
from voxgate.voxtral.kernels.packing import Int8Weight, has_kernel_layout, int8_panels

if TYPE_CHECKING:
    from torch import Tensor

INT8_LEVELS = 127  # steps on either side of zero
INT8_SMALLEST_SCALE = 1e-30  # the scale of a token of zeros
INT8_MIN_ROWS = 4  # tokens; with fewer, oneDNN's product takes a fifth longer (docs/log.md)
INT8_FEW_ROWS = 10  # tokens, up to which the native kernel is faster everywhere (docs/log.md)
INT8_PROMPT_ROWS = 1000  # tokens, up to which it multiplies where it is faster for a prompt's
PROMPT_TRIAL_ROWS, PROMPT_TRIAL_SIDE = 384, 2048  # tokens, and inputs and outputs, of that trial
INT8_ROW_TILE = 1024  # rows widened at once where there is no integer product
ONEDNN_FLAGS = {"avx512_vnni", "amx_int8"}  # with one of them, oneDNN multiplies many tokens

Int8Layout: TypeAlias = Literal["onednn", "panels", "rows"]
"""How a matrix is stored, and so who multiplies by it:

* `onednn`: as oneDNN packs it. oneDNN multiplies many tokens; few are the native kernel's, where it
  reads the same bytes.
* `panels`: as the native kernel reads it, for any number of tokens.
* `rows`: plain. oneDNN packs them at each start; without its product they are widened.
"""


def int8_layout() -> Int8Layout:
    """Return the layout of matrices on this processor.

    With AVX-512 and AMX oneDNN's product of many tokens is as fast as the native kernel's, or
    faster. In shorter vectors it is not, and without VNNI it takes inputs of 7 bits, which the
    kernel need not.
    """
    restores, full = onednn.can_restore(), onednn.int8_levels() == INT8_LEVELS
    fast = restores and full and usable_flags() & ONEDNN_FLAGS
    if dispatch.native_ops() and not fast:
        return "panels"
    return "onednn" if restores else "rows"


def int8_format() -> str:
    """Return a name for the stored bytes here. Other bytes have another name."""
    layout = int8_layout()
    return onednn.packed_layout() if layout == "onednn" else layout


@dataclass(frozen=True, slots=True)
class Epilogue:
    """The steps after an integer product: scales, bias, GELU and the type of the result.

    `dtype` is float32 or bfloat16.
    """

    gelu: bool = False
    dtype: torch.dtype = torch.float32

    def apply(self, x: Tensor) -> Tensor:
        """Apply GELU and type to float32 values that are already scaled."""
        return (F.gelu(x) if self.gelu else x).to(self.dtype)

    def scale_and_apply(self, product: Tensor, scales: Tensor, bias: Tensor | None) -> Tensor:
        """Apply all steps to float32 [tokens, out]; may overwrite `product`.

        `scales` is [tokens, 1] and `bias` is [out].
        """
        if dispatch.supports_elementwise(product):
            result: Tensor = dispatch.native_ops().scale_and_bias(
                product, scales, bias, gelu=self.gelu, dtype=self.dtype
            )
            return result
        if bias is None:
            return self.apply(product.mul_(scales))
        return self.apply(torch.addcmul(bias, product, scales, out=product))


class Int8Linear(nn.Module):
    """A linear layer over the arrays of `pack`, which it keeps and never writes to."""

    scales: Tensor
    rows: Tensor
    packed: Tensor
    order: Tensor
    panels: Tensor

    def __init__(self, arrays: dict[str, Tensor]) -> None:
        super().__init__()
        for name, array in arrays.items():
            self.register_buffer(name, array)
        self.bias: Tensor | None = arrays.get("bias")
        self.levels = onednn.int8_levels() or INT8_LEVELS
        self.epilogue = Epilogue()
        self.weight: Tensor | None = None  # None: oneDNN does not multiply by it
        self.panel_weight: Int8Weight | None = None  # None: the native kernel does not
        if "order" in arrays:
            shape = tuple(arrays["shape"].tolist())  # [in, out]
            self.weight = onednn.restore_packed(self.packed, self.order, shape)
            if dispatch.native_ops() and bool(self.panels):
                self.panel_weight = Int8Weight(self.packed, self.scales, self.bias, shape[0])
        elif "packed" in arrays:
            inputs, _ = arrays["shape"].tolist()
            self.panel_weight = Int8Weight(self.packed, self.scales, self.bias, inputs)
        elif onednn.int8_levels():
            self.weight = self.rows = onednn.prepack_int8(self.rows)

    @classmethod
    def pack(cls, weight: Tensor) -> dict[str, Tensor]:
        """Quantize a matrix [out, in], and lay it out as `int8_layout` says."""
        tiles = [
            quantize_int8(tile.float(), INT8_LEVELS) for tile in torch.split(weight, INT8_ROW_TILE)
        ]
        rows, scales = (torch.cat(each) for each in zip(*tiles, strict=True))
        arrays, layout = {"scales": scales.flatten()}, int8_layout()
        if layout == "rows":
            return arrays | {"rows": rows}
        if layout == "panels":
            rows = _padded(rows, -(-rows.shape[1] // INT8_PANEL) * INT8_PANEL)
            shape = torch.tensor([rows.shape[1], len(rows)])
            return arrays | {"packed": int8_panels(rows), "shape": shape}
        packed = onednn.prepack_int8(rows)
        contents, order = onednn.packed_contents(packed)
        shape = torch.tensor(packed.shape)
        panels = torch.tensor(int(has_kernel_layout(rows, contents)))
        return arrays | {"packed": contents, "order": order, "shape": shape, "panels": panels}

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out], in the type of `epilogue`, by default float32."""
        tokens = x.reshape(-1, x.shape[-1])
        out = self._multiply(tokens)
        return out.view(*x.shape[:-1], -1)

    def _multiply(self, tokens: Tensor) -> Tensor:
        if self.panel_weight is not None and (
            self.weight is None
            or len(tokens) <= INT8_FEW_ROWS
            or (len(tokens) <= INT8_PROMPT_ROWS and _is_kernel_faster())
        ):
            return _multiply_panels(tokens, self.panel_weight, self.epilogue)
        if self.weight is None:
            return self.epilogue.apply(self._multiply_widened(tokens))
        return self._multiply_packed(tokens, self.weight)

    def _multiply_packed(self, tokens: Tensor, weight: Tensor) -> Tensor:
        """Multiply by oneDNN's product."""
        zero = self.levels + 1
        unsigned, scales = _quantize_inputs(tokens, self.levels)
        missing = INT8_MIN_ROWS - len(tokens)
        # `F.pad` copies even when it adds nothing.
        rows = F.pad(unsigned, (0, 0, 0, missing)) if missing > 0 else unsigned
        product = onednn.int8_product(rows, zero, weight, self.scales)[: len(tokens)]
        return self.epilogue.scale_and_apply(product, scales, self.bias)

    def _multiply_widened(self, tokens: Tensor) -> Tensor:
        """Multiply by the same weights in float32, a tile at a time: correct anywhere, but slow."""
        tiles = torch.split(self.rows, INT8_ROW_TILE)
        out = torch.cat([F.linear(tokens.float(), tile.float()) for tile in tiles], dim=1)
        out.mul_(self.scales)
        return out if self.bias is None else out.add_(self.bias)


@cache
def _is_kernel_faster() -> bool:
    """Return whether the native kernel multiplies a prompt's tokens faster than oneDNN here.

    Both read the same bytes and give the same numbers. The trial takes less than 0.1 s, once.
    """
    side = PROMPT_TRIAL_SIDE
    layer = Int8Linear(Int8Linear.pack(torch.ones(side, side)))
    tokens, weight, panels = torch.ones(PROMPT_TRIAL_ROWS, side), layer.weight, layer.panel_weight
    if weight is None or panels is None:
        return False
    kernel_s = onednn.fastest_s(lambda: _multiply_panels(tokens, panels, layer.epilogue))
    return kernel_s < onednn.fastest_s(lambda: layer._multiply_packed(tokens, weight))  # noqa: SLF001


def _multiply_panels(tokens: Tensor, weight: Int8Weight, epilogue: Epilogue) -> Tensor:
    """Return the finished [n, out] of tokens [n, in], by the native kernel."""
    out: Tensor = dispatch.native_ops().linear_w8a8(
        _padded(tokens, weight.inputs), weight, gelu=epilogue.gelu, dtype=epilogue.dtype
    )
    return out


def _padded(rows: Tensor, width: int) -> Tensor:
    """Return rows of this width, with zeros at their ends."""
    missing = width - rows.shape[1]  # `F.pad` copies even when it adds nothing
    return F.pad(rows, (0, missing)) if missing else rows


def _quantize_inputs(tokens: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Return uint8 [n, k] whose zero is `levels` + 1, and scales [n, 1].

    Inputs are unsigned, because oneDNN's fast kernels do not take signed ones.
    """
    if levels == INT8_LEVELS and (native := dispatch.native_ops()):
        inputs, scales = native.quantize_rows(tokens)
        return inputs, scales
    signed, scales = quantize_int8(tokens.float(), levels)
    return signed.view(torch.uint8).add_(levels + 1), scales


def quantize_int8(rows: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Return int8 [n, k] of float32 rows, and the size of a step of each row, [n, 1].

    The largest magnitude of a row becomes `levels`. There are two reductions, because PyTorch's
    `aminmax` of rows is 15 times slower than `amax` and `amin`. The result is int8, because
    converting float32 to uint8 is four times slower (docs/log.md).
    """
    largest = torch.maximum(rows.amax(1, keepdim=True), rows.amin(1, keepdim=True).neg_())
    scales = largest.div_(levels).clamp_(min=INT8_SMALLEST_SCALE)
    return (rows / scales).round_().to(torch.int8), scales
