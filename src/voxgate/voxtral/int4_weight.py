"""`Int4Weight`: a matrix in four bits, packed once, in the order in which the kernel reads it.

The format is stored on disk, so it is stable; `FORMAT` is its number. Outputs lie in panels of 32
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

from voxgate.errors import UsageError
from voxgate.voxtral.kernels import address, kernels

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
PANEL = 32  # outputs
GROUP = 32  # inputs that share a scale
GROUP_BYTES = 512 + 64  # of a panel


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
        shape = packed_shape(self.outputs, self.inputs)
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
        data = torch.empty(packed_shape(outputs, inputs), dtype=torch.uint8)
        threads = torch.get_num_threads()
        stride = weight.stride(0)
        kernels().pack(where, wide, stride, data.data_ptr(), outputs, inputs, threads)
        return cls(data, outputs, inputs)

    def unpacked(self) -> Tensor:
        """The matrix that it stands for, [outputs, inputs], float32: the format's definition."""
        panels, groups, _ = self.data.shape
        lines = self.data[..., :512].reshape(panels, groups, 4, 2, 16, 4)
        halves = torch.stack((lines & 15, lines >> 4), dim=-2)  # …, output, low or high, i
        steps = halves.permute(0, 3, 4, 1, 2, 5, 6).reshape(panels * PANEL, groups, GROUP)
        scales = self.data[..., 512:].contiguous().view(torch.bfloat16).transpose(1, 2)
        matrix = (steps.float() - 8) * scales.reshape(panels * PANEL, groups, 1).float()
        return matrix.reshape(panels * PANEL, groups * GROUP)[: self.outputs, : self.inputs]


def packed_shape(outputs: int, inputs: int) -> tuple[int, int, int]:
    """[panels, groups, bytes of a group] of a packed matrix."""
    return -(-outputs // PANEL), -(-inputs // GROUP), GROUP_BYTES


def _finite(weight: Tensor) -> bool:
    """In one pass and without a mask as large as the matrix: both extremes keep what is not."""
    return all(bool(torch.isfinite(extreme)) for extreme in torch.aminmax(weight))
