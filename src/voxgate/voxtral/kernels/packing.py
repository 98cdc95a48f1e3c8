"""The packed layouts of 4-bit and 8-bit matrices, in the order in which the kernels read them.

4 bits (`Int4Weight`). The format is stored on disk, so it is stable; `INT4_FORMAT` is its number.
Outputs are in panels of 32 and inputs in groups of 32, both padded with zeros. A panel has 576
bytes for each group: 512 of weights, then 32 scales in bfloat16, one for each output. The 512 are
eight lines of 64, ordered [quarter j, half h]. Byte 4 n + i of a line is of output 16 h + n: its
low four bits are input 8 j + i, its high ones input 8 j + 4 + i, for i below 4. A stored step s, 0
to 15, is the weight (s - 8) * scale: symmetric, without a zero point. 4.5 bits a weight.

8 bits (`Int8Weight`). The kernel reads the bytes that oneDNN packs on processors with AVX-512. Its
own product, for many rows, can share them; `has_kernel_layout` checks whether a matrix has this
layout, since oneDNN documents none and has several. `hardware.int8_panels` defines it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

from voxgate.errors import UsageError
from voxgate.hardware import int8_panels as layout
from voxgate.hardware.int8_panels import INT8_PANEL
from voxgate.voxtral.kernels.bindings import address, load_kernels

if TYPE_CHECKING:
    from torch import Tensor


INT4_FORMAT = 1
INT4_PANEL = 32  # outputs
INT4_GROUP = 32  # inputs that share a scale
INT4_GROUP_BYTES = 512 + 64  # in a panel


@dataclass(frozen=True, slots=True, eq=False)
class Int4Weight:
    """A packed matrix [outputs, inputs]. Raises `UsageError` for data of another size.

    `data` is [panels, groups, 576], contiguous uint8 on the CPU. It may be in a mapped file. It is
    read fastest at an address that is a multiple of 64 bytes.
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

        Each group takes the best of 19 scales by squared error. The relative error is about 0.08
        on gaussian weights. Raises `UsageError` for another shape or type, for numbers that are
        not finite, and where the kernels are missing.
        """
        if weight.dim() != 2 or not weight.numel() or not _is_finite(weight):
            raise UsageError(
                f"Only a matrix of finite numbers can be packed, and this one is "
                f"{tuple(weight.shape)}, or has other numbers. Check the checkpoint: "
                "`voxgate models show NAME --verify`."
            )
        weight_address, wide = address(weight)
        outputs, inputs = weight.shape
        data = torch.empty(int4_packed_shape(outputs, inputs), dtype=torch.uint8)
        threads = torch.get_num_threads()
        stride = weight.stride(0)
        load_kernels().pack(weight_address, wide, stride, data.data_ptr(), outputs, inputs, threads)
        return cls(data, outputs, inputs)

    def unpack(self) -> Tensor:
        """Return the matrix, float32 [outputs, inputs]. This defines the format."""
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
    """Return the shape of a packed matrix: [panels, groups, bytes of a group]."""
    return -(-outputs // INT4_PANEL), -(-inputs // INT4_GROUP), INT4_GROUP_BYTES


def _is_finite(weight: Tensor) -> bool:
    """Return whether all numbers are finite, in one pass and without a mask of the matrix's size.

    `aminmax` keeps NaN and infinity.
    """
    return all(bool(torch.isfinite(extreme)) for extreme in torch.aminmax(weight))


INT8_TILE = 16 * INT8_PANEL  # outputs compared at once: a head is too large to be copied
INT8_SUM_BYTES = 4  # for each output, after all panels


@dataclass(frozen=True, slots=True, eq=False)
class Int8Weight:
    """A packed matrix [outputs, inputs], with the scale of each output.

    `packed` is contiguous uint8 on the CPU. It may be in a mapped file. `scales` and `bias` are
    float32 [outputs]. Raises `UsageError` for other sizes and types, and for inputs that are not
    a multiple of 64.
    """

    packed: Tensor
    scales: Tensor
    bias: Tensor | None
    inputs: int

    def __post_init__(self) -> None:
        size = int8_packed_bytes(self.outputs, self.inputs)
        vectors = [each for each in (self.scales, self.bias) if each is not None]
        vectors_fit = all(
            each.dtype is torch.float32 and each.is_contiguous() and each.shape == (self.outputs,)
            for each in vectors
        )
        bytes_fit = self.packed.dtype is torch.uint8 and self.packed.is_contiguous()
        if not (
            vectors_fit
            and bytes_fit
            and self.packed.numel() == size
            and self.inputs % INT8_PANEL == 0
        ):
            raise UsageError(
                f"A packed matrix of {self.outputs} x {self.inputs} is {size} contiguous bytes, "
                f"with a float32 for each output, and inputs that are a multiple of {INT8_PANEL}; "
                f"these are {self.packed.numel()} of {self.packed.dtype}. Use oneDNN's product "
                "for it."
            )

    @property
    def outputs(self) -> int:
        """Rows of the matrix."""
        return len(self.scales)


def int8_packed_bytes(outputs: int, inputs: int) -> int:
    """Return the bytes of a packed matrix."""
    panels = -(-outputs // INT8_PANEL)
    return panels * INT8_PANEL * (inputs + INT8_SUM_BYTES)


def int8_panels(rows: Tensor) -> Tensor:
    """Return the packed bytes of int8 rows [outputs, inputs], inputs a multiple of 64."""
    return torch.from_numpy(layout.int8_panels(rows.numpy()))


def has_kernel_layout(rows: Tensor, packed: Tensor) -> bool:
    """Return whether oneDNN packed these int8 rows into `packed`, uint8, in the kernel's layout."""
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
