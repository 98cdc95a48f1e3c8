"""`Int8`: 8-bit weights with a scale for each output channel, 8-bit inputs with one for each token.

Never one scale for a whole input: a few channels of a language model are a thousand times larger
than the others, and every other token would be rounded to nothing. A token's own scale is the least
that holds (`tests/voxtral/test_outliers.py` measures it).

Products are in integers, so that a token's result does not depend on its company: oneDNN's, and for
few tokens a native kernel's over the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral import operators, takeover
from voxgate.voxtral.epilogue import Epilogue
from voxgate.voxtral.int8_weight import Int8Weight, lies_as_read

if TYPE_CHECKING:
    from torch import Tensor

LEVELS = 127  # steps on either side of zero
TINY = 1e-30  # the scale of a token of zeros
FEWEST = 4  # tokens of oneDNN's product: with fewer it takes longer, by a fifth (docs/log.md)
FEW = 10  # tokens, up to which the kernel for few is the faster one (docs/log.md)
TILE = 1024  # rows that are widened at once, where there is no product of integers


class Int8(nn.Module):
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
        self.levels = operators.int8_levels() or LEVELS
        self.after = Epilogue()
        self.weight: Tensor | None = None  # None: there is no product of integers
        self.few: Int8Weight | None = None  # None: there is no kernel for few tokens
        if "packed" in arrays:
            shape = tuple(arrays["shape"].tolist())  # [in, out]
            self.weight = operators.restored(self.packed, self.order, shape)
            if takeover.native() and bool(self.panels):
                self.few = Int8Weight(self.packed, self.scales, self.bias, shape[0])
        elif operators.int8_levels():
            self.weight = self.rows = operators.prepacked(self.rows)

    @classmethod
    def arrays(cls, weight: Tensor) -> dict[str, Tensor]:
        """Of a matrix [out, in]: its rows in 8 bits, packed where that can be kept."""
        tiles = [quantised(tile.float(), LEVELS) for tile in torch.split(weight, TILE)]
        rows, scales = (torch.cat(each) for each in zip(*tiles, strict=True))
        arrays = {"scales": scales.flatten()}
        if not operators.restorable():
            return arrays | {"rows": rows}
        packed = operators.prepacked(rows)
        contents, order = operators.contents(packed)
        shape = torch.tensor(packed.shape)
        panels = torch.tensor(int(lies_as_read(rows, contents)))
        return arrays | {"packed": contents, "order": order, "shape": shape, "panels": panels}

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out], float32 unless `after` has another type."""
        tokens = x.reshape(-1, x.shape[-1])
        out = self._product(tokens)
        return out.view(*x.shape[:-1], -1)

    def _product(self, tokens: Tensor) -> Tensor:
        if self.few is not None and len(tokens) <= FEW:
            return self.after.of(takeover.native().linear_w8a8(tokens, self.few))
        if self.weight is None:
            return self.after.of(self._widened(tokens))
        zero = self.levels + 1
        unsigned, scales = _inputs(tokens, self.levels)
        missing = FEWEST - len(tokens)
        rows = F.pad(unsigned, (0, 0, 0, missing)) if missing > 0 else unsigned  # or it would copy
        product = operators.int8_product(rows, zero, self.weight, self.scales)[: len(tokens)]
        return self.after.scaled(product, scales, self.bias)

    def _widened(self, tokens: Tensor) -> Tensor:
        """The same weights in float32, a tile at a time: right everywhere, and slow."""
        tiles = torch.split(self.rows, TILE)
        out = torch.cat([F.linear(tokens.float(), tile.float()) for tile in tiles], dim=1)
        out.mul_(self.scales)
        return out if self.bias is None else out.add_(self.bias)


def _inputs(tokens: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """uint8 [n, k] around `levels` + 1, and scales: oneDNN's fast kernels take no signs."""
    if levels == LEVELS and (native := takeover.native()):
        inputs, scales = native.quantise_rows(tokens)
        return inputs, scales
    signed, scales = quantised(tokens.float(), levels)
    return signed.view(torch.uint8).add_(levels + 1), scales


def quantised(rows: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """int8 [n, k] of float32 rows, and what a step of each is worth, [n, 1].

    The largest of a row becomes `levels`. Two reductions, since PyTorch's `aminmax` of rows is 15
    times slower than `amax` and `amin`; by way of int8, since its conversion to bytes without a
    sign is four times slower (docs/log.md).
    """
    largest = torch.maximum(rows.amax(1, keepdim=True), rows.amin(1, keepdim=True).neg_())
    scales = largest.div_(levels).clamp_(min=TINY)
    return (rows / scales).round_().to(torch.int8), scales
