"""`Checkpoint`: the weights on disk, checked by their headers and loaded tensor by tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from voxgate.errors import CheckpointError, InsufficientMemoryError
from voxgate.hardware.memory import free_bytes
from voxgate.voxtral.checkpoint.directory import CheckpointDirectory, Layout, open_directory
from voxgate.voxtral.checkpoint.safetensors_file import broken_file, read_header
from voxgate.voxtral.checkpoint.weight_names import (
    HEAD_PARAMETER,
    OLDER_NAMES,
    POSITIONS_PARAMETER,
    file_tensor_name,
    is_interleaved,
)
from voxgate.voxtral.encoder import sinusoids
from voxgate.voxtral.network import Network

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from voxgate.voxtral.checkpoint.config import VoxtralConfig
    from voxgate.voxtral.checkpoint.safetensors_file import TensorInfo


# MERGED voxtral.tensors
# `TensorFile`: a safetensors file, its header checked by the library, its bytes read in place.
#
# Read, not mapped: the library's maps for PyTorch are private and writable, which the system counts
# as a promise of memory, and refuses for a file larger than there is; every page that was looked at
# would count as ours; and a file that is cut short under a map ends the process.

SAFETENSORS_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
"""PyTorch's, for those that a header may announce."""


class TensorFile:
    """A file of tensors by name. Raises `CheckpointError` for a file that is broken."""

    def __init__(self, path: Path) -> None:
        """Read the header alone."""
        self.path = path
        self.tensors = read_header(path)

    def read(self, name: str) -> Tensor:
        """One tensor, in memory of its own."""
        announced = self.tensors[name]
        tensor = torch.empty(announced.shape, dtype=SAFETENSORS_DTYPES[announced.dtype])
        rest = tensor.flatten().view(torch.uint8).numpy().data
        try:
            with self.path.open("rb", buffering=0) as stream:
                stream.seek(announced.offset)
                while rest:
                    read = stream.readinto(rest)
                    if not read:
                        raise broken_file(self.path, f"it ends within the tensor '{name}'")
                    rest = rest[read:]
        except OSError as error:
            raise broken_file(self.path, str(error)) from error
        return tensor


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """Where one of our parameters is stored."""

    file: TensorFile
    name: str

    @property
    def announced(self) -> TensorInfo:
        """What the file's header says of it."""
        return self.file.tensors[self.name]


class Checkpoint:
    """A folder's weights in one layout. Opening reads headers only."""

    def __init__(
        self, folder: CheckpointDirectory, entries: dict[str, TensorEntry], network: Network
    ) -> None:
        """`entries` by our parameters' names; `network` still without memory. Use `open`."""
        self.folder = folder
        self._entries = entries
        self.network = network

    @classmethod
    def open(cls, path: str | Path, layout: Layout | None = None) -> Checkpoint:
        """Read configuration and headers, and compare them.

        Raises `CheckpointError`, which names a tensor that is missing, too much or of another
        shape, and a file that is broken.
        """
        folder = open_directory(path, layout)
        with torch.device("meta"):
            network = Network(folder.config)
        return cls(folder, _matched(folder, network), network)

    @property
    def config(self) -> VoxtralConfig:
        """The model's shape."""
        return self.folder.config

    @property
    def dtype(self) -> torch.dtype:
        """The type that most of the weights are stored in."""
        sizes: dict[str, int] = {}
        for entry in self._entries.values():
            announced = entry.announced
            sizes[announced.dtype] = sizes.get(announced.dtype, 0) + announced.nbytes
        return SAFETENSORS_DTYPES[max(sizes, key=sizes.__getitem__)]

    def nbytes(self, dtype: torch.dtype) -> int:
        """Bytes of the finished model's weights."""
        return sum(self._nbytes(name, dtype) for name in self._entries)

    def load(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> Network:
        """The network with its weights, of this type and on this device; may be called once.

        At its peak it takes the finished model and one tensor more. Raises
        `InsufficientMemoryError` before anything is read when that is not free.
        """
        largest = max(self._nbytes(name, dtype) for name in self._entries)
        self.admit(self.nbytes(dtype) + largest, str(dtype).removeprefix("torch."), device)
        for parameter, _ in list(self.network.named_parameters()):
            if parameter in self._entries or parameter == POSITIONS_PARAMETER:
                tensor = self.read(parameter, self._type_of(parameter, dtype)).to(device)
                set_parameter(self.network, parameter, tensor)
        if self.tied:
            self.network.decoder.head.weight = self.network.decoder.embeddings.weight
        return self.network.eval()

    @property
    def tied(self) -> bool:
        """Whether the head is the embeddings."""
        return HEAD_PARAMETER not in self._entries

    def stored(self, parameter: str) -> torch.dtype:
        """The type that a parameter is stored in."""
        return SAFETENSORS_DTYPES[self._entries[parameter].announced.dtype]

    def read(self, parameter: str, dtype: torch.dtype) -> Tensor:
        """One parameter, in memory of its own and in our order of rows."""
        if parameter == POSITIONS_PARAMETER and parameter not in self._entries:
            return sinusoids(*self.network.encoder.positions.shape)  # Mistral's leaves them out
        entry = self._entries[parameter]
        tensor = entry.file.read(entry.name).to(dtype)
        if is_interleaved(parameter, self.folder.layout):
            return split_halves(tensor, self.config.decoder.head_dim)
        return tensor

    def admit(self, needed: int, held_as: str, device: torch.device | str = "cpu") -> None:
        """Raise `InsufficientMemoryError` where so many bytes are not free."""
        free = free_bytes(device)
        if needed > free:
            raise InsufficientMemoryError(
                f"{self.folder.path} needs {needed / 2**30:.1f} GiB of memory to be loaded as "
                f"{held_as}, and {free / 2**30:.1f} GiB are free on {device}. Free some, or take "
                f"a smaller model."
            )

    def _nbytes(self, parameter: str, dtype: torch.dtype) -> int:
        shape = self._entries[parameter].announced.shape
        return math.prod(shape) * self._type_of(parameter, dtype).itemsize

    def _type_of(self, parameter: str, dtype: torch.dtype) -> torch.dtype:
        # The reference keeps the positions in float32 whatever the rest is.
        return torch.float32 if parameter == POSITIONS_PARAMETER else dtype


def split_halves(rows: Tensor, head_dim: int) -> Tensor:
    """Rows that pair (2j, 2j + 1) within each head, reordered so that they pair (j, j + d/2)."""
    heads = rows.view(-1, head_dim // 2, 2, *rows.shape[1:])
    return heads.transpose(1, 2).reshape(rows.shape)


def _matched(folder: CheckpointDirectory, network: Network) -> dict[str, TensorEntry]:
    """The entry of each parameter. Raises `CheckpointError` for the first that does not match."""
    found = {
        name: TensorEntry(file, name)
        for file in map(TensorFile, folder.files)
        for name in file.tensors
    }
    entries: dict[str, TensorEntry] = {}
    for parameter, target in network.named_parameters():
        name = file_tensor_name(parameter, folder.layout)
        if name is None or (
            parameter == HEAD_PARAMETER and name not in found and not folder.config.own_head
        ):
            continue
        entry = found.pop(name, None) or found.pop(OLDER_NAMES.get(name, ""), None)
        if entry is None:
            raise _wrong(folder, f"lacks the tensor '{name}'")
        if entry.announced.shape != tuple(target.shape):
            raise _wrong(
                folder,
                f"has the tensor '{name}' in the shape {list(entry.announced.shape)}, and its "
                f"configuration makes it {list(target.shape)}",
            )
        entries[parameter] = entry
    if found:
        raise _wrong(
            folder, f"has {len(found)} tensors that no Voxtral has, the first '{min(found)}'"
        )
    return entries


def set_parameter(network: Network, parameter: str, tensor: Tensor) -> None:
    """Give a parameter its numbers."""
    path, _, name = parameter.rpartition(".")
    setattr(network.get_submodule(path), name, torch.nn.Parameter(tensor, requires_grad=False))


def _wrong(folder: CheckpointDirectory, what: str) -> CheckpointError:
    return CheckpointError(
        f"{folder.path} {what}. It is incomplete, or of another model: get it again."
    )
