"""`WeightFile`: arrays in one file, written once, complete or not there, and mapped for reading.

    the arrays, then the header (JSON), then its length, its checksum and a magic word

Each array begins at a multiple of 64 bytes, as kernels want their memory; safetensors has no gaps
for that. A map costs no memory of the process's own: pages come when they are used, and processes
share them. It would be fatal to one whose file is cut short underneath, so nobody here ever writes
to a file that has its name: it appears by a rename.
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
from typing import TYPE_CHECKING, Any

import torch

from voxgate.settings import Settings
from voxgate.voxtral.kernels import dispatch, onednn
from voxgate.voxtral.quantization.profiles import PROFILES

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from voxgate.voxtral.checkpoint.directory import CheckpointDirectory
    from voxgate.voxtral.quantization.profiles import Profile


ALIGNMENT = 64  # bytes
TRAILER = struct.Struct("<QI4s")  # of a file: the header's length, its CRC-32, MAGIC
MAGIC = b"vxg1"
DRAFT_PREFIX = ".draft-"
ARRAY_DTYPES = {"u8": torch.uint8, "i8": torch.int8, "i64": torch.int64, "bf16": torch.bfloat16,
         "f16": torch.float16, "f32": torch.float32}  # fmt: skip
DTYPE_NAMES = {dtype: name for name, dtype in ARRAY_DTYPES.items()}


class WeightFileWriter:
    """A store on its way, beside the place that it will take. A context manager.

    What a killed process leaves is taken away by the next one: a living one holds a lock on its.
    """

    def __init__(self, path: Path) -> None:
        """Make the folder and the draft in it. Raises `OSError`."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        self._draft = path.with_name(f"{DRAFT_PREFIX}{os.getpid()}-{os.urandom(4).hex()}")
        self._file = self._draft.open("xb")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._arrays: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> WeightFileWriter:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._draft.unlink(missing_ok=True)  # unless it has its name by now
        self._file.close()

    def add(self, name: str, array: Tensor) -> None:
        """Put an array behind the others. Raises `OSError`."""
        self._file.write(bytes(-self._file.tell() % ALIGNMENT))
        self._arrays[name] = {
            "dtype": DTYPE_NAMES[array.dtype], "shape": list(array.shape), "at": self._file.tell(),
        }  # fmt: skip
        self._file.write(array.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)

    def finish(self, key: str) -> None:
        """Give the store its name, whole and on the disk. Raises `OSError`."""
        header = json.dumps({"key": key, "arrays": self._arrays}).encode()
        self._file.write(header + TRAILER.pack(len(header), zlib.crc32(header), MAGIC))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._draft.rename(self._path)


class WeightFile:
    """A file of arrays, mapped. Raises `ValueError` for a file that is broken or has another key.

    The arrays must not be written to: that ends the process.
    """

    def __init__(self, path: Path, key: str) -> None:
        """Read the header; raises `OSError` where there is no file."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < TRAILER.size:
                raise ValueError("it is too short")
            self._map = mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)
        self._arrays = self._header(size, key)
        with warnings.catch_warnings():
            # PyTorch knows no tensors that are only read.
            warnings.filterwarnings("ignore", message="The given buffer is not writable")
            self._bytes = torch.frombuffer(self._map, dtype=torch.uint8)

    def arrays(self) -> dict[str, Tensor]:
        """Every array by name, where it lies in the map."""
        return {name: self._array(**entry) for name, entry in self._arrays.items()}

    def _array(self, dtype: str, shape: list[int], at: int) -> Tensor:
        size = math.prod(shape) * ARRAY_DTYPES[dtype].itemsize
        return self._bytes[at : at + size].view(ARRAY_DTYPES[dtype]).view(shape)

    def _header(self, size: int, key: str) -> dict[str, dict[str, Any]]:
        length, checksum, magic = TRAILER.unpack(self._map[-TRAILER.size :])
        if magic != MAGIC or length > size - TRAILER.size:
            raise ValueError("it does not end as a store does")
        header = self._map[size - TRAILER.size - length : size - TRAILER.size]
        if zlib.crc32(header) != checksum:
            raise ValueError("its header is damaged")
        table = json.loads(header)
        if table["key"] != key:
            raise ValueError("it is of another checkpoint or scheme")
        arrays: dict[str, dict[str, Any]] = table["arrays"]
        return arrays


def _sweep(folder: Path) -> None:
    """Take away the drafts that no living process holds."""
    for path in folder.glob(f"{DRAFT_PREFIX}*"):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except (BlockingIOError, FileNotFoundError):
            continue


# MERGED voxtral.kept
# Where quantised weights are kept on the disk, and what they are known by.

CACHE_FORMAT = 2  # of the arrays' meaning: a new one makes every store anew
SPARE_BYTES = 1.02  # times the weights' bytes must be free on the disk
CACHE_FILE = "weights"


@dataclass(frozen=True, slots=True)
class CachePath:
    """One file that may hold a checkpoint's weights in a profile."""

    file: Path
    key: str
    others: str  # a pattern, beside the file's folder, of what the same profile left before

    def make(self, needed: int) -> None:
        """Make the folder. Raises `OSError` where it cannot be, or has too little space."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.file.parent).free < SPARE_BYTES * needed:
            raise OSError(errno.ENOSPC, f"{needed / 1e9:.1f} GB are needed, and not free")

    def tidy(self) -> None:
        """Take away what was made of another state of the checkpoint, or by another PyTorch."""
        for folder in self.file.parent.parent.glob(self.others):
            if folder != self.file.parent:
                shutil.rmtree(folder, ignore_errors=True)  # somebody else's: then it stays


def cache_paths(folder: CheckpointDirectory, profile: Profile) -> list[CachePath]:
    """Beside the checkpoint; else in the home. In the order of preference."""
    key = _key(folder, profile)
    beside = folder.path / f".voxgate-{profile}-{key[:12]}"
    origin = hashlib.sha256(str(folder.path).encode()).hexdigest()[:12]
    home = Settings.read().home.expanduser() / "quantised" / f"{origin}-{profile}-{key[:12]}"
    return [
        CachePath(beside / CACHE_FILE, key, f".voxgate-{profile}-*"),
        CachePath(home / CACHE_FILE, key, f"{origin}-{profile}-*"),
    ]


def _key(folder: CheckpointDirectory, profile: Profile) -> str:
    """Everything that the arrays depend on: files, scheme, and how this PyTorch packs."""
    schemes = asdict(PROFILES[profile])
    known = {
        "format": CACHE_FORMAT,
        "schemes": schemes,
        "config": asdict(folder.config),
        "files": [
            (path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in folder.files
        ],
        "torch": torch.__version__,
        "int8": onednn.packed_layout() if onednn.can_restore() else "rows",
    }
    if "int4" in schemes.values():
        known["int4"] = dispatch.int4_format() or onednn.int4_block()
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
