"""What a safetensors file announces: its tensors' shapes, types and places. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from voxgate.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

ITEM_BYTES = {"BF16": 2, "F16": 2, "F32": 4}
"""The types that weights are run from; what is quantised has others."""

LENGTH_BYTES = 8  # at a file's beginning: the length of the header that follows


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as its file's header announces it."""

    shape: tuple[int, ...]
    dtype: str  # as safetensors spells it
    offset: int  # of its first byte in the file

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


def read_header(path: Path) -> dict[str, TensorInfo]:
    """A file's tensors by name; milliseconds, whatever its size.

    Raises `CheckpointError` for a file that is broken, and for types that are not run.
    """
    tensors: dict[str, TensorInfo] = {}
    try:
        # Framework "np" maps the file for reading alone. The library checks that offsets are in
        # order, without gaps, and end where the file does.
        with safe_open(path, framework="np") as file, path.open("rb") as stream:
            offset = LENGTH_BYTES + int.from_bytes(stream.read(LENGTH_BYTES), "little")
            for name in file.offset_keys():
                part = file.get_slice(name)
                tensor = TensorInfo(tuple(part.get_shape()), part.get_dtype(), offset)
                if tensor.dtype not in ITEM_BYTES:
                    raise CheckpointError(
                        f"{path} has the tensor '{name}' as {tensor.dtype}, and only "
                        f"{', '.join(ITEM_BYTES)} are run. Take the checkpoint in bf16."
                    )
                tensors[name] = tensor
                offset += tensor.nbytes
    except (SafetensorError, OSError) as error:
        raise broken_file(path, str(error)) from error
    return tensors


def broken_file(path: Path, reason: str) -> CheckpointError:
    """What is said of a file that cannot be read to its end."""
    return CheckpointError(
        f"{path} cannot be read as safetensors ({reason}). It is cut off or damaged: get it again."
    )
