"""The headers of CTranslate2's `model.bin`: which model it holds, and where its weights are.

The format is that of `ctranslate2.specs.model_spec` (version 6 of 4.8): the version, the name of
the model's kind, its revision, then every variable with its name, shape, type and bytes, then
aliases of variables. Only headers are read; the values between them are skipped.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from voxgate.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

NEWEST_VERSION = 6
FIRST_WITH_ALIASES = 3
WHISPER = "WhisperSpec"
MAX_VARIABLES = 100_000
MAX_RANK = 8
TYPES = ("<f4", "i1", "<i2", "<i4", "<f2", "bfloat16")  # by their numbers in the file


@dataclass(frozen=True, slots=True)
class Variable:
    """Where a variable is in the file."""

    shape: tuple[int, ...]
    type: str  # of `TYPES`
    start: int  # bytes before it
    nbytes: int


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each variable of a Whisper model. Takes milliseconds at any size.

    Raises `CheckpointError` for a file that is damaged, cut off, or of another kind of model.
    """
    return {name: variable.shape for name, variable in read_variables(path).items()}


def read_variables(path: Path) -> dict[str, Variable]:
    """Return where each variable is, by name. Raises as `read_shapes` does."""
    try:
        with path.open("rb") as file:
            return _Reader(file, path.stat().st_size).variables()
    except (OSError, ValueError, struct.error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CheckpointError(
            f"{path} cannot be used as a Whisper model of CTranslate2: {reason}. Get the file "
            f"again, or name a folder that `ct2-transformers-converter` has written."
        ) from error


class _Reader:
    """Reads the file from its beginning. Raises `ValueError` and `struct.error`."""

    def __init__(self, file: BinaryIO, nbytes: int) -> None:
        self._file, self._nbytes = file, nbytes

    def variables(self) -> dict[str, Variable]:
        version = self._number("I")
        if not 2 <= version <= NEWEST_VERSION:  # before 2 it does not name its kind
            raise ValueError(f"its format has the version {version}, which is unknown")
        kind = self._text()
        if kind != WHISPER:
            raise ValueError(f"it holds a '{kind[:40]}', which is another kind of model")
        self._number("I")  # the revision of the kind
        count = self._number("I")
        if count > MAX_VARIABLES:
            raise ValueError(f"it claims to hold {count} variables")
        found = dict(self._variable() for _ in range(count))
        aliases = self._number("I") if version >= FIRST_WITH_ALIASES else 0
        for _ in range(aliases):  # equal variables are stored once
            alias, name = self._text(), self._text()
            if name not in found:
                raise ValueError(f"'{alias[:40]}' stands for '{name[:40]}', which is not there")
            found[alias] = found[name]
        return found

    def _variable(self) -> tuple[str, Variable]:
        name, rank = self._text(), self._number("B")
        if rank > MAX_RANK:
            raise ValueError(f"'{name[:40]}' claims to have {rank} dimensions")
        shape = tuple(self._number("I") for _ in range(rank))
        number, nbytes = self._number("B"), self._number("I")
        if number >= len(TYPES):
            raise ValueError(f"'{name[:40]}' has a type with the number {number}, which is unknown")
        start = self._file.tell()
        if start + nbytes > self._nbytes:
            raise ValueError(f"it is cut off: it ends within '{name[:40]}'")
        self._file.seek(start + nbytes)
        return name, Variable(shape, TYPES[number], start, nbytes)

    def _text(self) -> str:
        """Read a string: its length with the final zero in 16 bits, then the bytes."""
        return self._bytes(self._number("H"))[:-1].decode()

    def _number(self, code: str) -> int:
        (number,) = struct.unpack(f"<{code}", self._bytes(struct.calcsize(code)))
        return int(number)

    def _bytes(self, nbytes: int) -> bytes:
        data = self._file.read(nbytes)
        if len(data) < nbytes:
            raise ValueError("it is cut off")
        return data
