"""4-bit weights in groups of 32 inputs with a scale and a zero each; inputs stay as they are.

For few tokens, PyTorch has a product that reads packed weights directly. For many tokens, such as a
prompt's, that product is bound by unpacking the weights again for each token. `Int4Linear` then
unpacks a tile of rows once and multiplies it by the ordinary product. One copy serves both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral.kernels import onednn
from voxgate.voxtral.kernels.onednn import INT4_ZERO_STEP
from voxgate.voxtral.quantization.profiles import GROUP_WEIGHTS

if TYPE_CHECKING:
    from torch import Tensor

INT4_LEVELS = 15  # steps from the smallest to the largest weight of a group
INT4_SMALLEST_SCALE = 1e-8  # the scale of a group of equal weights
INT4_FEW_ROWS = 32  # tokens, up to which the product on packed weights is faster (docs/log.md)
INT4_MAX_BLOCK = 64  # the most rows that the product of any processor reads together
INT4_ROW_TILE = 512  # rows unpacked at once: 3 MB of bf16 at 3072 columns, which fits a cache


class Int4Linear(nn.Module):
    """A linear layer over the arrays of `pack`, which it keeps and never writes to."""

    packed: Tensor
    scales: Tensor

    def __init__(self, arrays: dict[str, Tensor]) -> None:
        super().__init__()
        for name, array in arrays.items():
            self.register_buffer(name, array)
        self.bias: Tensor | None = arrays.get("bias")
        self.rows = int(arrays["out"])

    @classmethod
    def pack(cls, weight: Tensor) -> dict[str, Tensor]:
        """Quantize a matrix [out, in], padded to whole groups and blocks."""
        block = onednn.int4_block_rows()
        padding = (0, -weight.shape[1] % GROUP_WEIGHTS, 0, -len(weight) % INT4_MAX_BLOCK)
        padded = F.pad(weight, padding)
        tiles = [quantize_int4(tile.float()) for tile in torch.split(padded, INT4_ROW_TILE)]
        return {
            "packed": torch.cat([onednn.pack_int4(steps, block) for steps, _ in tiles]),
            "scales": torch.cat([scales for _, scales in tiles], dim=1),
            "out": torch.tensor(len(weight)),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to float32 [..., out]."""
        columns = self.packed.shape[1]
        tokens = F.pad(x.reshape(-1, x.shape[-1]), (0, columns - x.shape[-1]))
        few = len(tokens) <= INT4_FEW_ROWS and onednn.has_int4_product()
        product = self._multiply_few(tokens) if few else self._multiply_many(tokens)
        out = product[:, : self.rows].float()
        if self.bias is not None:
            out = out + self.bias
        return out.reshape(*x.shape[:-1], -1)

    def _multiply_few(self, tokens: Tensor) -> Tensor:
        return onednn.int4_product(tokens.bfloat16(), self.packed, GROUP_WEIGHTS, self.scales)

    def _multiply_many(self, tokens: Tensor) -> Tensor:
        # Inputs and results are rounded as for few tokens, so that prompts and tokens agree.
        inputs = tokens.bfloat16().to(onednn.many_rows_dtype())
        blocks = INT4_ROW_TILE // self.packed.shape[2] // 2
        tiles = zip(
            torch.split(self.packed, blocks),
            torch.split(self.scales, INT4_ROW_TILE, dim=1),
            strict=True,
        )
        return torch.cat(
            [(inputs @ unpack_int4(*tile, inputs.dtype)).bfloat16() for tile in tiles], dim=1
        )


def quantize_int4(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return uint8 [n, k] of steps 0 to 15, and their bf16 scales [k / 32, n, 2].

    A scale has two numbers: the size of a step, and the weight that step 8 stands for.
    """
    groups = weight.view(len(weight), -1, GROUP_WEIGHTS)
    smallest, largest = groups.amin(2, keepdim=True), groups.amax(2, keepdim=True)
    # The scales are rounded to bf16 first, so that the steps are counted from the stored values.
    size = ((largest - smallest) / INT4_LEVELS).clamp_(min=INT4_SMALLEST_SCALE).bfloat16()
    middle = (smallest + INT4_ZERO_STEP * size.float()).bfloat16()
    steps = (
        (groups - middle.float())
        .div_(size.float())
        .add_(INT4_ZERO_STEP)
        .round_()
        .clamp_(0, INT4_LEVELS)
    )
    scales = torch.cat((size, middle), dim=2).transpose(0, 1).contiguous()
    return steps.to(torch.uint8).view(weight.shape), scales


def unpack_int4(packed: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the weights of packed blocks, transposed: [k, n]."""
    blocks, columns, half = packed.shape
    steps = torch.cat((packed & 15, packed >> 4), dim=2).to(dtype)
    sizes, middles = scales.view(-1, blocks, 2 * half, 2).transpose(0, 1).unbind(3)
    zeros = middles.float() - INT4_ZERO_STEP * sizes.float()
    groups = steps.view(blocks, -1, GROUP_WEIGHTS, 2 * half)
    groups.mul_(sizes[:, :, None].to(dtype)).add_(zeros[:, :, None].to(dtype))
    return groups.view(blocks, columns, 2 * half).transpose(0, 1).reshape(columns, -1)
