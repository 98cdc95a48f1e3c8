"""The values in CTranslate2's `model.bin`, as float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxgate.errors import CheckpointError
from voxgate.whisper.model_file import read_variables

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from voxgate.whisper.model_file import Variable

SCALE = "_scale"  # after the name of a weight of integers: what its floats were multiplied by


class Weights:
    """A model's file, from which a weight is read when it is asked for.

    Raises `CheckpointError` for a file that is damaged, cut off, or of another kind of model.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._variables = read_variables(path)
        self._bytes: NDArray[np.uint8] = np.memmap(path, np.uint8, "r")

    def __contains__(self, name: str) -> bool:
        return name in self._variables

    def read(self, name: str, *shape: int) -> NDArray[np.float32]:
        """Return a copy of a weight of this shape. Integers are divided by their scales.

        Raises `CheckpointError` for one that is missing or has another shape.
        """
        try:
            value = self._value(self._variables[name])
            if scales := self._variables.get(name + SCALE):
                scale = self._value(scales)  # one, or one for each output
                value /= scale.reshape(-1, *[1] * (value.ndim - 1))
        except KeyError:
            raise self._error(f"it lacks '{name}'") from None
        except ValueError as error:  # bytes that are no whole array
            raise self._error(f"'{name}' is damaged") from error
        if value.shape != shape:
            raise self._error(f"'{name}' has the shape {value.shape} instead of {shape}")
        return value

    def _error(self, reason: str) -> CheckpointError:
        return CheckpointError(
            f"{self._path} cannot be used as a Whisper model: {reason}. Get the file again."
        )

    def _value(self, variable: Variable) -> NDArray[np.float32]:
        data = self._bytes[variable.start : variable.start + variable.nbytes]
        if variable.type == "bfloat16":
            upper = np.array(data.view("<u2"), np.uint32) << 16
            return upper.view(np.float32).reshape(variable.shape)
        return np.array(data.view(variable.type), np.float32).reshape(variable.shape)
