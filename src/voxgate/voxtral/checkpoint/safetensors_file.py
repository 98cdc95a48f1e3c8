"""The header of a safetensors file: its tensors' shapes, types and offsets. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from voxgate.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

ITEM_BYTES = {"BF16": 2, "F16": 2, "F32": 4}
"""Bytes of an element, by the types that weights may have. Quantized files have others."""

LENGTH_BYTES = 8  # at the start of a file: the length of the header that follows


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as the header describes it."""

    shape: tuple[int, ...]
    dtype: str  # in safetensors' spelling
    offset: int  # of the first byte in the file

    @property
    def nbytes(self) -> int:
        """The tensor's bytes in the file."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


def read_header(path: Path) -> dict[str, TensorInfo]:
    """Return a file's tensors by name. Takes milliseconds at any file size.

    Raises `CheckpointError` for a broken file and for unsupported types.
    """
    tensors: dict[str, TensorInfo] = {}
    try:
        # Framework "np" maps the file read-only. The library checks that the offsets are in order,
        # without gaps, and end where the file ends.
        with safe_open(path, framework="np") as file, path.open("rb") as stream:
            offset = LENGTH_BYTES + int.from_bytes(stream.read(LENGTH_BYTES), "little")
            for name in file.offset_keys():
                header = file.get_slice(name)
                tensor = TensorInfo(tuple(header.get_shape()), header.get_dtype(), offset)
                if tensor.dtype not in ITEM_BYTES:
                    raise CheckpointError(
                        f"{path} has the tensor '{name}' as {tensor.dtype}, and only "
                        f"{', '.join(ITEM_BYTES)} are supported. Get the checkpoint in bf16."
                    )
                tensors[name] = tensor
                offset += tensor.nbytes
    except (SafetensorError, OSError) as error:
        raise broken_file(path, str(error)) from error
    return tensors


def broken_file(path: Path, reason: str) -> CheckpointError:
    """Return the error for a file that cannot be read completely."""
    return CheckpointError(
        f"{path} cannot be read as safetensors ({reason}). It is cut off or damaged: get it again."
    )
