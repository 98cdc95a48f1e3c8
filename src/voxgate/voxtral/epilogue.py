"""`Epilogue`: what follows a product of 8-bit integers, whose sums still lack their scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral import takeover

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Epilogue:
    """The GELU of the result, if it is wanted, and the result's type, float32 or bfloat16."""

    gelu: bool = False
    dtype: torch.dtype = torch.float32

    def scaled(self, product: Tensor, scales: Tensor, bias: Tensor | None) -> Tensor:
        """Of float32 [tokens, out], scales [tokens, 1] and a bias [out]; writes over `product`."""
        if takeover.passes(product):
            done: Tensor = takeover.native().finish(
                product, scales, bias, gelu=self.gelu, dtype=self.dtype
            )
            return done
        if bias is None:
            return self.of(product.mul_(scales))
        return self.of(torch.addcmul(bias, product, scales, out=product))

    def of(self, x: Tensor) -> Tensor:
        """Of what has its scales already, float32."""
        return (F.gelu(x) if self.gelu else x).to(self.dtype)
