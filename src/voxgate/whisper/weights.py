"""The values in CTranslate2's `model.bin`, as float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from voxgate.whisper.model_file import read_variables

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from voxgate.whisper.model_file import Variable

SCALE = "_scale"  # after the name of a weight of integers: what its floats were multiplied by


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
    found = read_variables(path)
    return Weights(path, {name: each for name, each in found.items() if name.startswith(prefix)})
