"""`TensorFile`: a safetensors file, its header checked by the library, its bytes read in place.

Read, not mapped: the library's maps for PyTorch are private and writable, which the system counts
as a promise of memory, and refuses for a file larger than there is; every page that was looked at
would count as ours; and a file that is cut short under a map ends the process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from voxgate.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

TYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
"""The types that weights are run from; what is quantised has others."""

LENGTH_BYTES = 8  # at a file's beginning: the length of the header that follows


@dataclass(frozen=True, slots=True)
class Announced:
    """A tensor as its file's header announces it."""

    shape: tuple[int, ...]
    dtype: str  # as safetensors spells it
    offset: int  # of its first byte in the file

    @property
    def nbytes(self) -> int:
        """Bytes in the file, of a type that is run."""
        return math.prod(self.shape) * TYPES[self.dtype].itemsize


class TensorFile:
    """A file of tensors by name. Raises `CheckpointError` for a file that is broken."""

    def __init__(self, path: Path) -> None:
        """Read the header: milliseconds, whatever the file's size."""
        self.path = path
        try:
            # Framework "np" maps the file for reading alone. The library checks that offsets are in
            # order, without gaps, and end where the file does.
            with safe_open(path, framework="np") as file, path.open("rb") as stream:
                offset = LENGTH_BYTES + int.from_bytes(stream.read(LENGTH_BYTES), "little")
                self.tensors: dict[str, Announced] = {}
                for name in file.offset_keys():
                    part = file.get_slice(name)
                    announced = Announced(tuple(part.get_shape()), part.get_dtype(), offset)
                    if announced.dtype not in TYPES:
                        raise CheckpointError(
                            f"{path} has the tensor '{name}' as {announced.dtype}, and only "
                            f"{', '.join(TYPES)} are run. Take the checkpoint in bf16."
                        )
                    self.tensors[name] = announced
                    offset += announced.nbytes
        except (SafetensorError, OSError) as error:
            raise self._broken(str(error)) from error

    def read(self, name: str) -> Tensor:
        """One tensor, in memory of its own."""
        announced = self.tensors[name]
        tensor = torch.empty(announced.shape, dtype=TYPES[announced.dtype])
        rest = tensor.flatten().view(torch.uint8).numpy().data
        try:
            with self.path.open("rb", buffering=0) as stream:
                stream.seek(announced.offset)
                while rest:
                    read = stream.readinto(rest)
                    if not read:
                        raise self._broken(f"it ends within the tensor '{name}'")
                    rest = rest[read:]
        except OSError as error:
            raise self._broken(str(error)) from error
        return tensor

    def _broken(self, reason: str) -> CheckpointError:
        return CheckpointError(
            f"{self.path} cannot be read as safetensors ({reason}). It is cut off or damaged: get "
            f"it again."
        )
