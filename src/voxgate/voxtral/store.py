"""`Store`: arrays in one file, written once, complete or not there, and mapped for reading.

    the arrays, then the header (JSON), then its length, its checksum and a magic word

Each array begins at a multiple of 64 bytes, as kernels want their memory; safetensors has no gaps
for that. A map costs no memory of the process's own: pages come when they are used, and processes
share them. It would be fatal to one whose file is cut short underneath, so nobody here ever writes
to a file that has its name: it appears by a rename.
"""

from __future__ import annotations

import fcntl
import json
import math
import mmap
import os
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

ALIGNMENT = 64  # bytes
END = struct.Struct("<QI4s")  # of a file: the header's length, its CRC-32, MAGIC
MAGIC = b"vxg1"
DRAFT = ".draft-"
TYPES = {"u8": torch.uint8, "i8": torch.int8, "i64": torch.int64, "bf16": torch.bfloat16,
         "f16": torch.float16, "f32": torch.float32}  # fmt: skip
NAMES = {dtype: name for name, dtype in TYPES.items()}


class Draft:
    """A store on its way, beside the place that it will take. A context manager.

    What a killed process leaves is taken away by the next one: a living one holds a lock on its.
    """

    def __init__(self, path: Path) -> None:
        """Make the folder and the draft in it. Raises `OSError`."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        self._draft = path.with_name(f"{DRAFT}{os.getpid()}-{os.urandom(4).hex()}")
        self._file = self._draft.open("xb")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._arrays: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._draft.unlink(missing_ok=True)  # unless it has its name by now
        self._file.close()

    def add(self, name: str, array: Tensor) -> None:
        """Put an array behind the others. Raises `OSError`."""
        self._file.write(bytes(-self._file.tell() % ALIGNMENT))
        self._arrays[name] = {
            "dtype": NAMES[array.dtype], "shape": list(array.shape), "at": self._file.tell(),
        }  # fmt: skip
        self._file.write(array.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)

    def finish(self, key: str) -> None:
        """Give the store its name, whole and on the disk. Raises `OSError`."""
        header = json.dumps({"key": key, "arrays": self._arrays}).encode()
        self._file.write(header + END.pack(len(header), zlib.crc32(header), MAGIC))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._draft.rename(self._path)


class Store:
    """A file of arrays, mapped. Raises `ValueError` for a file that is broken or has another key.

    The arrays must not be written to: that ends the process.
    """

    def __init__(self, path: Path, key: str) -> None:
        """Read the header; raises `OSError` where there is no file."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < END.size:
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
        size = math.prod(shape) * TYPES[dtype].itemsize
        return self._bytes[at : at + size].view(TYPES[dtype]).view(shape)

    def _header(self, size: int, key: str) -> dict[str, dict[str, Any]]:
        length, checksum, magic = END.unpack(self._map[-END.size :])
        if magic != MAGIC or length > size - END.size:
            raise ValueError("it does not end as a store does")
        header = self._map[size - END.size - length : size - END.size]
        if zlib.crc32(header) != checksum:
            raise ValueError("its header is damaged")
        table = json.loads(header)
        if table["key"] != key:
            raise ValueError("it is of another checkpoint or scheme")
        arrays: dict[str, dict[str, Any]] = table["arrays"]
        return arrays


def _sweep(folder: Path) -> None:
    """Take away the drafts that no living process holds."""
    for path in folder.glob(f"{DRAFT}*"):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except (BlockingIOError, FileNotFoundError):
            continue
