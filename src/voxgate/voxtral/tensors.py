"""`TensorFile`: a safetensors file, its header checked by the library, its bytes read in place.

Read, not mapped: the library's maps for PyTorch are private and writable, which the system counts
as a promise of memory, and refuses for a file larger than there is; every page that was looked at
would count as ours; and a file that is cut short under a map ends the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from voxgate.voxtral.header import announced_by, broken

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

TYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
"""PyTorch's, for those that a header may announce."""


class TensorFile:
    """A file of tensors by name. Raises `CheckpointError` for a file that is broken."""

    def __init__(self, path: Path) -> None:
        """Read the header alone."""
        self.path = path
        self.tensors = announced_by(path)

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
                        raise broken(self.path, f"it ends within the tensor '{name}'")
                    rest = rest[read:]
        except OSError as error:
            raise broken(self.path, str(error)) from error
        return tensor
