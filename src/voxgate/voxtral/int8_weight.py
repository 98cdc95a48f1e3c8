"""`Int8Weight`: a matrix in eight bits where oneDNN has packed it, for the kernel for few rows.

oneDNN's product is as fast as the processor for many rows. For few it takes a third longer than
memory needs, and memory is all that counts there. Both read one copy. oneDNN promises no layout and
has several, by shape and threads; `lies_as_read` finds out whether a matrix has the kernel's: int8
in panels of 64 outputs, [outputs / 64, inputs / 4, 64 outputs, 4 inputs], filled up with zeros, and
behind them an int32 for each output, minus the sum of its weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

PANEL = 64  # outputs, and inputs of a block
TILE = 16 * PANEL  # outputs that are compared at once: a head is too large to be copied
SUM_BYTES = 4  # of an output, behind all panels


@dataclass(frozen=True, slots=True, eq=False)
class Int8Weight:
    """A packed matrix [outputs, inputs], with what each output's steps are worth.

    `packed` is uint8, contiguous, on the processor; it may lie in a mapped file. `scales` and
    `bias` are float32 [outputs]. Raises `UsageError` for other sizes and types, and for inputs
    that are no multiple of 64.
    """

    packed: Tensor
    scales: Tensor
    bias: Tensor | None
    inputs: int

    def __post_init__(self) -> None:
        size = packed_bytes(self.outputs, self.inputs)
        wide = [each for each in (self.scales, self.bias) if each is not None]
        plain = all(
            each.dtype is torch.float32 and each.is_contiguous() and each.shape == (self.outputs,)
            for each in wide
        )
        right = self.packed.dtype is torch.uint8 and self.packed.is_contiguous()
        if not (plain and right and self.packed.numel() == size and self.inputs % PANEL == 0):
            raise UsageError(
                f"A packed matrix of {self.outputs} x {self.inputs} is {size} contiguous bytes, "
                f"with a float32 for each output, and inputs that are a multiple of {PANEL}; these "
                f"are {self.packed.numel()} of {self.packed.dtype}. Take oneDNN's product for it."
            )

    @property
    def outputs(self) -> int:
        """Rows of the matrix."""
        return len(self.scales)


def packed_bytes(outputs: int, inputs: int) -> int:
    """Bytes of a packed matrix."""
    panels = -(-outputs // PANEL)
    return panels * PANEL * (inputs + SUM_BYTES)


def panels(rows: Tensor) -> Tensor:
    """The bytes that stand for int8 rows [outputs, inputs]: the layout's definition.

    Inputs are a multiple of 64.
    """
    outputs, inputs = rows.shape
    filled = F.pad(rows, (0, 0, 0, -outputs % PANEL))
    fours = filled.view(-1, PANEL, inputs // 4, 4).transpose(1, 2)
    sums = -filled.sum(1, dtype=torch.int32)
    parts = (fours.reshape(-1).view(torch.uint8), sums.view(torch.uint8))
    return torch.cat(parts)


def lies_as_read(rows: Tensor, packed: Tensor) -> bool:
    """Whether oneDNN has packed these rows into `packed`, uint8, as the kernel reads them."""
    outputs, inputs = rows.shape
    if inputs % PANEL or packed.numel() != packed_bytes(outputs, inputs):
        return False
    weights = packed[: packed.numel() // (inputs + SUM_BYTES) * inputs]
    sums = packed[weights.numel() :]
    tiles = zip(
        torch.split(rows, TILE),
        torch.split(weights, TILE * inputs),
        torch.split(sums, TILE * SUM_BYTES),
        strict=True,
    )
    return all(torch.equal(panels(tile), torch.cat(own)) for tile, *own in tiles)
