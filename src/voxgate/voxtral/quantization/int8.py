"""8-bit weights with a scale for each output channel, 8-bit inputs with one for each token.

Never one scale for a whole input: a few channels of a language model are a thousand times larger
than the others, and every other token would be rounded to nothing. A token's own scale is the least
that holds (`tests/voxtral/test_outliers.py` measures it).

Products are in integers, so that a token's result does not depend on its company: oneDNN's, and for
few tokens a native kernel's over the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral.kernels import dispatch, onednn
from voxgate.voxtral.kernels.packing import Int8Weight, has_kernel_layout

if TYPE_CHECKING:
    from torch import Tensor


# MERGED voxtral.epilogue
# `Epilogue`: what follows a product of 8-bit integers, whose sums still lack their scales.


@dataclass(frozen=True, slots=True)
class Epilogue:
    """The GELU of the result, if it is wanted, and the result's type, float32 or bfloat16."""

    gelu: bool = False
    dtype: torch.dtype = torch.float32

    def scaled(self, product: Tensor, scales: Tensor, bias: Tensor | None) -> Tensor:
        """Of float32 [tokens, out], scales [tokens, 1] and a bias [out]; writes over `product`."""
        if dispatch.supports_elementwise(product):
            done: Tensor = dispatch.native_ops().scale_and_bias(
                product, scales, bias, gelu=self.gelu, dtype=self.dtype
            )
            return done
        if bias is None:
            return self.of(product.mul_(scales))
        return self.of(torch.addcmul(bias, product, scales, out=product))

    def of(self, x: Tensor) -> Tensor:
        """Of what has its scales already, float32."""
        return (F.gelu(x) if self.gelu else x).to(self.dtype)


INT8_LEVELS = 127  # steps on either side of zero
INT8_SMALLEST_SCALE = 1e-30  # the scale of a token of zeros
INT8_FEWEST_ROWS = (
    4  # tokens of oneDNN's product: with fewer it takes longer, by a fifth (docs/log.md)
)
INT8_FEW_ROWS = 10  # tokens, up to which the kernel for few is the faster one (docs/log.md)
INT8_ROW_TILE = 1024  # rows that are widened at once, where there is no product of integers


class Int8Linear(nn.Module):
    """A linear map over `arrays`, which are kept."""

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
        self.after = Epilogue()
        self.weight: Tensor | None = None  # None: there is no product of integers
        self.few: Int8Weight | None = None  # None: there is no kernel for few tokens
        if "packed" in arrays:
            shape = tuple(arrays["shape"].tolist())  # [in, out]
            self.weight = onednn.restore_packed(self.packed, self.order, shape)
            if dispatch.native_ops() and bool(self.panels):
                self.few = Int8Weight(self.packed, self.scales, self.bias, shape[0])
        elif onednn.int8_levels():
            self.weight = self.rows = onednn.prepack_int8(self.rows)

    @classmethod
    def arrays(cls, weight: Tensor) -> dict[str, Tensor]:
        """Of a matrix [out, in]: its rows in 8 bits, packed where that can be kept."""
        tiles = [
            quantize_int8(tile.float(), INT8_LEVELS) for tile in torch.split(weight, INT8_ROW_TILE)
        ]
        rows, scales = (torch.cat(each) for each in zip(*tiles, strict=True))
        arrays = {"scales": scales.flatten()}
        if not onednn.can_restore():
            return arrays | {"rows": rows}
        packed = onednn.prepack_int8(rows)
        contents, order = onednn.packed_contents(packed)
        shape = torch.tensor(packed.shape)
        panels = torch.tensor(int(has_kernel_layout(rows, contents)))
        return arrays | {"packed": contents, "order": order, "shape": shape, "panels": panels}

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out], float32 unless `after` has another type."""
        tokens = x.reshape(-1, x.shape[-1])
        out = self._product(tokens)
        return out.view(*x.shape[:-1], -1)

    def _product(self, tokens: Tensor) -> Tensor:
        if self.few is not None and len(tokens) <= INT8_FEW_ROWS:
            return self.after.of(dispatch.native_ops().linear_w8a8(tokens, self.few))
        if self.weight is None:
            return self.after.of(self._widened(tokens))
        zero = self.levels + 1
        unsigned, scales = _inputs(tokens, self.levels)
        missing = INT8_FEWEST_ROWS - len(tokens)
        rows = F.pad(unsigned, (0, 0, 0, missing)) if missing > 0 else unsigned  # or it would copy
        product = onednn.int8_product(rows, zero, self.weight, self.scales)[: len(tokens)]
        return self.after.scaled(product, scales, self.bias)

    def _widened(self, tokens: Tensor) -> Tensor:
        """The same weights in float32, a tile at a time: right everywhere, and slow."""
        tiles = torch.split(self.rows, INT8_ROW_TILE)
        out = torch.cat([F.linear(tokens.float(), tile.float()) for tile in tiles], dim=1)
        out.mul_(self.scales)
        return out if self.bias is None else out.add_(self.bias)


def _inputs(tokens: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """uint8 [n, k] around `levels` + 1, and scales: oneDNN's fast kernels take no signs."""
    if levels == INT8_LEVELS and (native := dispatch.native_ops()):
        inputs, scales = native.quantise_rows(tokens)
        return inputs, scales
    signed, scales = quantize_int8(tokens.float(), levels)
    return signed.view(torch.uint8).add_(levels + 1), scales


def quantize_int8(rows: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """int8 [n, k] of float32 rows, and what a step of each is worth, [n, 1].

    The largest of a row becomes `levels`. Two reductions, since PyTorch's `aminmax` of rows is 15
    times slower than `amax` and `amin`; by way of int8, since its conversion to bytes without a
    sign is four times slower (docs/log.md).
    """
    largest = torch.maximum(rows.amax(1, keepdim=True), rows.amin(1, keepdim=True).neg_())
    scales = largest.div_(levels).clamp_(min=INT8_SMALLEST_SCALE)
    return (rows / scales).round_().to(torch.int8), scales
