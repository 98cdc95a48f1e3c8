"""`Checkpoint`: the weights on disk, checked by their headers and loaded one tensor at a time.

Tensors are read, not mapped. safetensors' maps for PyTorch are private and writable: the system
counts them as promised memory and refuses them for a file larger than the memory; every page that
is read counts as the process's own; and a file that is truncated while mapped ends the process.
"""

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

SAFETENSORS_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
"""PyTorch's types, by safetensors' names of those that a file may have."""


class Checkpoint:
    """The weights of a directory in one layout. Opening it reads headers only."""

    def __init__(
        self, directory: CheckpointDirectory, entries: dict[str, TensorEntry], network: Network
    ) -> None:
        """Use `open`. `entries` is keyed by `Network`'s parameters; `network` has no memory yet."""
        self.directory = directory
        self._entries = entries
        self.network = network

    @classmethod
    def open(cls, path: str | Path, layout: Layout | None = None) -> Checkpoint:
        """Read configuration and headers, and compare them.

        Raises `CheckpointError`, which names a tensor that is missing, unknown or of another
        shape, or a file that is broken.
        """
        directory = open_directory(path, layout)
        with torch.device("meta"):
            network = Network(directory.config)
        return cls(directory, _match_entries(directory, network), network)

    @property
    def config(self) -> VoxtralConfig:
        """The model's shape."""
        return self.directory.config

    @property
    def dtype(self) -> torch.dtype:
        """The type that most of the weights are stored in, by bytes."""
        sizes: dict[str, int] = {}
        for entry in self._entries.values():
            sizes[entry.info.dtype] = sizes.get(entry.info.dtype, 0) + entry.info.nbytes
        return SAFETENSORS_DTYPES[max(sizes, key=sizes.__getitem__)]

    @property
    def tied(self) -> bool:
        """Whether the output head is the embeddings."""
        return HEAD_PARAMETER not in self._entries

    def nbytes(self, dtype: torch.dtype) -> int:
        """Return the bytes of the loaded model's weights in this type."""
        return sum(self._nbytes(name, dtype) for name in self._entries)

    def load(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> Network:
        """Load the weights in this type onto this device. May be called once.

        The peak of memory is the loaded model and one tensor. Raises `InsufficientMemoryError`
        before anything is read when that much is not free.
        """
        largest = max(self._nbytes(name, dtype) for name in self._entries)
        self.check_memory(self.nbytes(dtype) + largest, str(dtype).removeprefix("torch."), device)
        for parameter, _ in list(self.network.named_parameters()):
            if parameter in self._entries or parameter == POSITIONS_PARAMETER:
                tensor = self.read(parameter, _loaded_dtype(parameter, dtype)).to(device)
                set_parameter(self.network, parameter, tensor)
        if self.tied:
            self.network.decoder.head.weight = self.network.decoder.embeddings.weight
        return self.network.eval()

    def stored_dtype(self, parameter: str) -> torch.dtype:
        """Return the type that a parameter is stored in."""
        return SAFETENSORS_DTYPES[self._entries[parameter].info.dtype]

    def read(self, parameter: str, dtype: torch.dtype) -> Tensor:
        """Read one parameter into memory of its own, with its rows in `Network`'s order."""
        if parameter == POSITIONS_PARAMETER and parameter not in self._entries:
            # Mistral's layout leaves them out.
            return sinusoids(*self.network.encoder.positions.shape)
        entry = self._entries[parameter]
        tensor = entry.file.read(entry.name).to(dtype)
        if is_interleaved(parameter, self.directory.layout):
            return split_halves(tensor, self.config.decoder.head_dim)
        return tensor

    def check_memory(self, nbytes: int, loaded_as: str, device: torch.device | str = "cpu") -> None:
        """Raise `InsufficientMemoryError` unless so many bytes are free on the device."""
        free = free_bytes(device)
        if nbytes > free:
            raise InsufficientMemoryError(
                f"{self.directory.path} needs {nbytes / 2**30:.1f} GiB of memory to be loaded as "
                f"{loaded_as}, and {free / 2**30:.1f} GiB are free on {device}. Free some, or take "
                f"a smaller model."
            )

    def _nbytes(self, parameter: str, dtype: torch.dtype) -> int:
        shape = self._entries[parameter].info.shape
        return math.prod(shape) * _loaded_dtype(parameter, dtype).itemsize


class TensorFile:
    """A safetensors file. Raises `CheckpointError` for a file that is broken."""

    def __init__(self, path: Path) -> None:
        """Read the header only."""
        self.path = path
        self.tensors = read_header(path)

    def read(self, name: str) -> Tensor:
        """Read one tensor into memory of its own."""
        info = self.tensors[name]
        tensor = torch.empty(info.shape, dtype=SAFETENSORS_DTYPES[info.dtype])
        remaining = tensor.flatten().view(torch.uint8).numpy().data
        try:
            with self.path.open("rb", buffering=0) as stream:
                stream.seek(info.offset)
                while remaining:
                    count = stream.readinto(remaining)
                    if not count:
                        raise broken_file(self.path, f"it ends within the tensor '{name}'")
                    remaining = remaining[count:]
        except OSError as error:
            raise broken_file(self.path, str(error)) from error
        return tensor


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """The file and the name under which one parameter is stored."""

    file: TensorFile
    name: str

    @property
    def info(self) -> TensorInfo:
        """The tensor as the file's header describes it."""
        return self.file.tensors[self.name]


def split_halves(rows: Tensor, head_dim: int) -> Tensor:
    """Reorder rows that pair (2j, 2j + 1) within each head, so that they pair (j, j + d/2)."""
    heads = rows.view(-1, head_dim // 2, 2, *rows.shape[1:])
    return heads.transpose(1, 2).reshape(rows.shape)


def set_parameter(network: Network, parameter: str, tensor: Tensor) -> None:
    """Set a parameter of the network to this tensor."""
    path, _, name = parameter.rpartition(".")
    setattr(network.get_submodule(path), name, torch.nn.Parameter(tensor, requires_grad=False))


def _loaded_dtype(parameter: str, dtype: torch.dtype) -> torch.dtype:
    # The reference keeps the positions in float32, whatever the type of the other weights.
    return torch.float32 if parameter == POSITIONS_PARAMETER else dtype


def _match_entries(directory: CheckpointDirectory, network: Network) -> dict[str, TensorEntry]:
    """Return the entry of each parameter. Raises `CheckpointError` for the first mismatch."""
    stored = {
        name: TensorEntry(file, name)
        for file in map(TensorFile, directory.files)
        for name in file.tensors
    }
    entries: dict[str, TensorEntry] = {}
    for parameter, target in network.named_parameters():
        name = file_tensor_name(parameter, directory.layout)
        if name is None or (
            parameter == HEAD_PARAMETER and name not in stored and not directory.config.own_head
        ):
            continue
        entry = stored.pop(name, None) or stored.pop(OLDER_NAMES.get(name, ""), None)
        if entry is None:
            raise _mismatch(directory, f"lacks the tensor '{name}'")
        if entry.info.shape != tuple(target.shape):
            raise _mismatch(
                directory,
                f"has the tensor '{name}' in the shape {list(entry.info.shape)}, and its "
                f"configuration requires {list(target.shape)}",
            )
        entries[parameter] = entry
    if stored:
        raise _mismatch(
            directory, f"has {len(stored)} tensors that no Voxtral has, the first '{min(stored)}'"
        )
    return entries


def _mismatch(directory: CheckpointDirectory, problem: str) -> CheckpointError:
    return CheckpointError(
        f"{directory.path} {problem}. It is incomplete, or of another model: get it again."
    )
