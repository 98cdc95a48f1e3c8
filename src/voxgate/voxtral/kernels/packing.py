"""`Int4Weight`: a matrix in four bits, packed once, in the order in which the kernel reads it.

The format is stored on disk, so it is stable; `INT4_FORMAT` is its number. Outputs lie in panels
of 32
and inputs in groups of 32, both filled up with zeros. A panel holds for each group 576 bytes: 512
of weights, then 32 scales in bfloat16, one for each output. The 512 are eight lines of 64, ordered
[quarter j, half h]; byte 4 n + i of a line holds output 16 h + n and the inputs 8 j + i (in its
low four bits) and 8 j + 4 + i (in its high ones), i below 4. A stored s, 0 to 15, means the weight
(s - 8) * scale: symmetric, without a zero point. 4.5 bits a weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.errors import UsageError
from voxgate.voxtral.kernels.bindings import address, load_kernels

if TYPE_CHECKING:
    from torch import Tensor


INT4_FORMAT = 1
INT4_PANEL = 32  # outputs
INT4_GROUP = 32  # inputs that share a scale
INT4_GROUP_BYTES = 512 + 64  # of a panel


@dataclass(frozen=True, slots=True, eq=False)
class Int4Weight:
    """A packed matrix [outputs, inputs]. Raises `UsageError` for data of another size.

    `data` is [panels, groups, 576], uint8, contiguous, on the processor; it may lie in a mapped
    file. It is read fastest from a multiple of 64 bytes.
    """

    data: Tensor
    outputs: int
    inputs: int

    def __post_init__(self) -> None:
        shape = int4_packed_shape(self.outputs, self.inputs)
        data = self.data
        if data.dtype is not torch.uint8 or data.shape != shape or not data.is_contiguous():
            raise UsageError(
                f"A packed matrix of {self.outputs} x {self.inputs} is contiguous uint8 of shape "
                f"{shape}, and these are {data.dtype} of {tuple(data.shape)}. Pack it again."
            )

    @classmethod
    def pack(cls, weight: Tensor) -> Self:
        """Pack a matrix [outputs, inputs], float32 or bfloat16.

        Of 19 scales each group takes the one that loses least in squares: a relative error of
        about 0.08 on gaussian weights. Raises `UsageError` for another shape or type, for numbers
        that are not finite, and where the kernels are missing.
        """
        if weight.dim() != 2 or not weight.numel() or not _finite(weight):
            raise UsageError(
                f"Packed can be a matrix of finite numbers, and this is {tuple(weight.shape)}, "
                "or holds others. Check the checkpoint: `voxgate models show NAME --verify`."
            )
        where, wide = address(weight)
        outputs, inputs = weight.shape
        data = torch.empty(int4_packed_shape(outputs, inputs), dtype=torch.uint8)
        threads = torch.get_num_threads()
        stride = weight.stride(0)
        load_kernels().pack(where, wide, stride, data.data_ptr(), outputs, inputs, threads)
        return cls(data, outputs, inputs)

    def unpacked(self) -> Tensor:
        """The matrix that it stands for, [outputs, inputs], float32: the format's definition."""
        panels, groups, _ = self.data.shape
        lines = self.data[..., :512].reshape(panels, groups, 4, 2, 16, 4)
        halves = torch.stack((lines & 15, lines >> 4), dim=-2)  # …, output, low or high, i
        steps = halves.permute(0, 3, 4, 1, 2, 5, 6).reshape(panels * INT4_PANEL, groups, INT4_GROUP)
        scales = self.data[..., 512:].contiguous().view(torch.bfloat16).transpose(1, 2)
        matrix = (steps.float() - 8) * scales.reshape(panels * INT4_PANEL, groups, 1).float()
        return matrix.reshape(panels * INT4_PANEL, groups * INT4_GROUP)[
            : self.outputs, : self.inputs
        ]


def int4_packed_shape(outputs: int, inputs: int) -> tuple[int, int, int]:
    """[panels, groups, bytes of a group] of a packed matrix."""
    return -(-outputs // INT4_PANEL), -(-inputs // INT4_GROUP), INT4_GROUP_BYTES


def _finite(weight: Tensor) -> bool:
    """In one pass and without a mask as large as the matrix: both extremes keep what is not."""
    return all(bool(torch.isfinite(extreme)) for extreme in torch.aminmax(weight))


# MERGED voxtral.int8_weight
# `Int8Weight`: a matrix in eight bits where oneDNN has packed it, for the kernel for few rows.
#
# oneDNN's product is as fast as the processor for many rows. For few it takes a third longer than
# memory needs, and memory is all that counts there. Both read one copy. oneDNN promises no layout
# and
# has several, by shape and threads; `has_kernel_layout` finds out whether a matrix has the
# kernel's: int8
# in panels of 64 outputs, [outputs / 64, inputs / 4, 64 outputs, 4 inputs], filled up with zeros,
# and
# behind them an int32 for each output, minus the sum of its weights.

INT8_PANEL = 64  # outputs, and inputs of a block
INT8_TILE = 16 * INT8_PANEL  # outputs that are compared at once: a head is too large to be copied
INT8_SUM_BYTES = 4  # of an output, behind all panels


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
        size = int8_packed_bytes(self.outputs, self.inputs)
        wide = [each for each in (self.scales, self.bias) if each is not None]
        plain = all(
            each.dtype is torch.float32 and each.is_contiguous() and each.shape == (self.outputs,)
            for each in wide
        )
        right = self.packed.dtype is torch.uint8 and self.packed.is_contiguous()
        if not (plain and right and self.packed.numel() == size and self.inputs % INT8_PANEL == 0):
            raise UsageError(
                f"A packed matrix of {self.outputs} x {self.inputs} is {size} contiguous bytes, "
                f"with a float32 for each output, and inputs that are a multiple of {INT8_PANEL}; "
                f"these "
                f"are {self.packed.numel()} of {self.packed.dtype}. Take oneDNN's product for it."
            )

    @property
    def outputs(self) -> int:
        """Rows of the matrix."""
        return len(self.scales)


def int8_packed_bytes(outputs: int, inputs: int) -> int:
    """Bytes of a packed matrix."""
    panels = -(-outputs // INT8_PANEL)
    return panels * INT8_PANEL * (inputs + INT8_SUM_BYTES)


def int8_panels(rows: Tensor) -> Tensor:
    """The bytes that stand for int8 rows [outputs, inputs]: the layout's definition.

    Inputs are a multiple of 64.
    """
    outputs, inputs = rows.shape
    filled = F.pad(rows, (0, 0, 0, -outputs % INT8_PANEL))
    fours = filled.view(-1, INT8_PANEL, inputs // 4, 4).transpose(1, 2)
    sums = -filled.sum(1, dtype=torch.int32)
    parts = (fours.reshape(-1).view(torch.uint8), sums.view(torch.uint8))
    return torch.cat(parts)


def has_kernel_layout(rows: Tensor, packed: Tensor) -> bool:
    """Whether oneDNN has packed these rows into `packed`, uint8, as the kernel reads them."""
    outputs, inputs = rows.shape
    if inputs % INT8_PANEL or packed.numel() != int8_packed_bytes(outputs, inputs):
        return False
    weights = packed[: packed.numel() // (inputs + INT8_SUM_BYTES) * inputs]
    sums = packed[weights.numel() :]
    tiles = zip(
        torch.split(rows, INT8_TILE),
        torch.split(weights, INT8_TILE * inputs),
        torch.split(sums, INT8_TILE * INT8_SUM_BYTES),
        strict=True,
    )
    return all(torch.equal(int8_panels(tile), torch.cat(own)) for tile, *own in tiles)
