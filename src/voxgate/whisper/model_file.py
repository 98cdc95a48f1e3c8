"""CTranslate2's `model.bin`: which model it holds, the shapes of its weights, and their values.

The format is that of `ctranslate2.specs.model_spec` (version 6 of 4.8): the version, the name of
the model's kind, its revision, then every variable with its name, shape, type and bytes, then
aliases of variables. The headers are read at once, and a value when it is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from voxgate.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NEWEST_VERSION = 6
FIRST_WITH_ALIASES = 3
WHISPER = "WhisperSpec"
MAX_VARIABLES = 100_000
MAX_RANK = 8
TYPES = ("<f4", "i1", "<i2", "<i4", "<f2", "bfloat16")  # by their numbers in the file
SCALE = "_scale"  # after the name of a weight of integers: what its floats were multiplied by


@dataclass(frozen=True, slots=True)
class Variable:
    """Where a variable is in the file."""

    shape: tuple[int, ...]
    type: str  # of `TYPES`
    start: int  # bytes before it
    nbytes: int


class Weights(Mapping[str, "NDArray[np.float32]"]):
    """The variables whose names begin alike, each read from the file when it is asked for.

    All are float32: integers are divided by their scales.
    """

    def __init__(self, path: Path, variables: Mapping[str, Variable]) -> None:
        self._bytes: NDArray[np.uint8] = np.memmap(path, np.uint8, "r")
        self._variables = variables

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """Return a copy. Raises `KeyError`."""
        value = self._value(self._variables[name])
        if scales := self._variables.get(name + SCALE):
            scale = self._value(scales)  # one, or one for each output
            value /= scale.reshape(-1, *[1] * (value.ndim - 1))
        return value

    def __iter__(self) -> Iterator[str]:
        """The names, without those of scales."""
        return (name for name in self._variables if not name.endswith(SCALE))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _value(self, variable: Variable) -> NDArray[np.float32]:
        data = self._bytes[variable.start : variable.start + variable.nbytes]
        if variable.type == "bfloat16":
            upper = np.array(data.view("<u2"), np.uint32) << 16
            return upper.view(np.float32).reshape(variable.shape)
        return np.array(data.view(variable.type), np.float32).reshape(variable.shape)


def read_weights(path: Path, prefix: str) -> Weights:
    """Return the weights of a Whisper model whose names begin so. Raises as `read_shapes` does."""
    found = _read_variables(path)
    return Weights(path, {name: each for name, each in found.items() if name.startswith(prefix)})


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each variable of a Whisper model. Takes milliseconds at any size.

    Raises `CheckpointError` for a file that is damaged, cut off, or of another kind of model.
    """
    return {name: variable.shape for name, variable in _read_variables(path).items()}


def _read_variables(path: Path) -> dict[str, Variable]:
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
