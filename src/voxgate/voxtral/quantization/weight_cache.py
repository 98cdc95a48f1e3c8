"""The cache of quantized weights on disk: one file of arrays a profile, mapped for reading.

    the arrays, then the header (JSON), then its length, its CRC-32 and a magic word

Each array begins at a multiple of 64 bytes, which kernels need; safetensors cannot leave gaps for
that. A map costs no memory of the process's own: pages are loaded when they are used, and processes
share them. Truncating a mapped file would end every process that maps it, so that a file with its
final name is never written to: it appears by a rename, complete.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import math
import mmap
import os
import shutil
import struct
import warnings
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import torch

from voxgate.settings import Settings
from voxgate.voxtral.kernels import dispatch, onednn
from voxgate.voxtral.quantization.int8 import int8_format
from voxgate.voxtral.quantization.profiles import PROFILES

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from voxgate.voxtral.checkpoint.directory import CheckpointDirectory
    from voxgate.voxtral.quantization.profiles import Profile

CACHE_FORMAT = 2  # of the arrays' meaning: a new number makes every existing file outdated
CACHE_FILE = "weights"
SPARE_FACTOR = 1.02  # times the weights' bytes must be free on the disk

ALIGNMENT = 64  # bytes
TRAILER = struct.Struct("<QI4s")  # at the end of a file: the header's length, its CRC-32, MAGIC
MAGIC = b"vxg1"
DRAFT_PREFIX = ".draft-"
ARRAY_DTYPES = {"u8": torch.uint8, "i8": torch.int8, "i64": torch.int64, "bf16": torch.bfloat16,
         "f16": torch.float16, "f32": torch.float32}  # fmt: skip
DTYPE_NAMES = {dtype: name for name, dtype in ARRAY_DTYPES.items()}


@dataclass(frozen=True, slots=True)
class CachePath:
    """A file that may hold a checkpoint's weights in a profile."""

    file: Path
    key: str
    origin: str  # the key without the layout, which processors and levels have in common
    siblings: str  # a pattern of this profile's folders, beside the file's own

    def create_folder(self, nbytes: int) -> None:
        """Create the folder. Raises `OSError` where that fails or too little space is free."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.file.parent).free < SPARE_FACTOR * nbytes:
            raise OSError(errno.ENOSPC, f"{nbytes / 1e9:.1f} GB are needed, and not free")

    def remove_outdated(self) -> None:
        """Remove the caches of another state of the checkpoint or another version of PyTorch.

        Those of another layout stay: a processor that shares the folder may map one.
        """
        for folder in self.file.parent.parent.glob(self.siblings):
            if folder != self.file.parent and _origin_of(folder / CACHE_FILE) != self.origin:
                shutil.rmtree(folder, ignore_errors=True)  # another user's folder stays


def cache_paths(directory: CheckpointDirectory, profile: Profile) -> list[CachePath]:
    """Return the possible files by preference: beside the checkpoint, then in the home folder."""
    origin_inputs = _origin_inputs(directory, profile)
    key, source = _hashed(origin_inputs | _layout_inputs(profile)), _hashed(origin_inputs)
    beside = directory.path / f".voxgate-{profile}-{key[:12]}"
    place = hashlib.sha256(str(directory.path).encode()).hexdigest()[:12]
    home = Settings.examine()[0].home.expanduser() / "quantised" / f"{place}-{profile}-{key[:12]}"
    return [
        CachePath(beside / CACHE_FILE, key, source, f".voxgate-{profile}-*"),
        CachePath(home / CACHE_FILE, key, source, f"{place}-{profile}-*"),
    ]


def _origin_inputs(directory: CheckpointDirectory, profile: Profile) -> dict[str, Any]:
    """Return what the arrays depend on wherever they are made: files, schemes and PyTorch.

    The names of the fields of the configuration and of `Schemes` are part of the key: renaming one
    makes every existing file outdated.
    """
    return {
        "format": CACHE_FORMAT,
        "schemes": asdict(PROFILES[profile]),
        "config": asdict(directory.config),
        "files": [
            (path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in directory.files
        ],
        "torch": torch.__version__,
    }


def _layout_inputs(profile: Profile) -> dict[str, Any]:
    """Return how the arrays are laid out here.

    Processors that share a folder, and levels of instructions, have other keys where the layout is
    another, so that none reads the other's file.
    """
    inputs: dict[str, Any] = {"int8": int8_format()}
    if "int4" in asdict(PROFILES[profile]).values():
        inputs["int4"] = dispatch.int4_format() or onednn.int4_block_rows()
    return inputs


def _hashed(inputs: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


class WeightFileWriter:
    """Write a weight file under a draft name, and rename it when it is complete.

    A context manager. Each writer locks its draft, and removes drafts that no process locks: those
    that a killed process left.
    """

    def __init__(self, path: Path) -> None:
        """Create the folder and the draft in it. Raises `OSError`."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned_drafts(path.parent)
        self._draft = path.with_name(f"{DRAFT_PREFIX}{os.getpid()}-{os.urandom(4).hex()}")
        self._file = self._draft.open("xb")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._arrays: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> WeightFileWriter:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._draft.unlink(missing_ok=True)  # it is missing after `commit`
        self._file.close()

    def add(self, name: str, array: Tensor) -> None:
        """Append an array. Raises `OSError`."""
        self._file.write(bytes(-self._file.tell() % ALIGNMENT))
        self._arrays[name] = {
            "dtype": DTYPE_NAMES[array.dtype], "shape": list(array.shape), "at": self._file.tell(),
        }  # fmt: skip
        self._file.write(array.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)

    def commit(self, key: str, origin: str = "") -> None:
        """Write the header, flush the file to disk, and give it its name. Raises `OSError`."""
        header = json.dumps({"key": key, "origin": origin, "arrays": self._arrays}).encode()
        self._file.write(header + TRAILER.pack(len(header), zlib.crc32(header), MAGIC))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._draft.rename(self._path)


class WeightFile:
    """A mapped weight file. Raises `ValueError` for a file that is broken or has another key.

    The arrays must not be written to: that ends the process.
    """

    def __init__(self, path: Path, key: str) -> None:
        """Map the file and read its header. Raises `OSError` where there is no file."""
        with path.open("rb") as file:
            header = _read_header(file)
            if header["key"] != key:
                raise ValueError("it is of another checkpoint or scheme")
            self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self._arrays: dict[str, dict[str, Any]] = header["arrays"]
        with warnings.catch_warnings():
            # PyTorch has no read-only tensors, and warns of that.
            warnings.filterwarnings("ignore", message="The given buffer is not writable")
            self._bytes = torch.frombuffer(self._map, dtype=torch.uint8)

    def arrays(self) -> dict[str, Tensor]:
        """Return every array by name, as a view of the map."""
        return {name: self._array(**entry) for name, entry in self._arrays.items()}

    def _array(self, dtype: str, shape: list[int], at: int) -> Tensor:
        size = math.prod(shape) * ARRAY_DTYPES[dtype].itemsize
        return self._bytes[at : at + size].view(ARRAY_DTYPES[dtype]).view(shape)


def _read_header(file: BinaryIO) -> dict[str, Any]:
    """Return the header of a weight file. Raises `ValueError` for a file that is none."""
    size = file.seek(0, os.SEEK_END)
    if size < TRAILER.size:
        raise ValueError("it is too short")
    file.seek(-TRAILER.size, os.SEEK_END)
    length, checksum, magic = TRAILER.unpack(file.read(TRAILER.size))
    if magic != MAGIC or length > size - TRAILER.size:
        raise ValueError("it does not end as a weight file does")
    file.seek(size - TRAILER.size - length)
    header = file.read(length)
    if zlib.crc32(header) != checksum:
        raise ValueError("its header is damaged")
    table: dict[str, Any] = json.loads(header)
    return table


def _origin_of(path: Path) -> str | None:
    """Return the origin of a weight file; None for one that is missing, damaged or older."""
    try:
        with path.open("rb") as file:
            origin: str | None = _read_header(file).get("origin")
    except (OSError, ValueError, AttributeError):
        return None
    return origin


def _remove_abandoned_drafts(folder: Path) -> None:
    """Remove the drafts that no living process locks."""
    for path in folder.glob(f"{DRAFT_PREFIX}*"):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except (BlockingIOError, FileNotFoundError):
            continue
