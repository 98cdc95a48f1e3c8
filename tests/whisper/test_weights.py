"""Weights of every type that CTranslate2's converter writes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ctranslate2.specs import common_spec, model_spec

from voxgate.errors import CheckpointError
from voxgate.whisper.weights import Weights

if TYPE_CHECKING:
    from pathlib import Path


class EncoderSpec(model_spec.LayerSpec):  # type: ignore[misc]
    """A layer and a norm of random numbers."""

    def __init__(self) -> None:
        draw = np.random.default_rng(5)
        self.linear = common_spec.LinearSpec()
        self.linear.weight = draw.standard_normal((6, 40), np.float32)
        self.linear.weight[1] *= 100
        self.linear.weight[2] = 0
        self.linear.bias = draw.standard_normal(6, np.float32)
        self.conv = common_spec.Conv1DSpec()
        self.conv.weight = draw.standard_normal((5, 4, 3), np.float32)
        self.norm = common_spec.LayerNormSpec()
        self.norm.gamma = self.norm.beta = draw.standard_normal(40, np.float32)


class Spec(model_spec.ModelSpec):  # type: ignore[misc]
    """A file of which this is all."""

    name, revision = "WhisperSpec", 3

    def __init__(self) -> None:
        super().__init__()
        self.encoder = EncoderSpec()


def saved(folder: Path, quantization: str | None = None) -> Path:
    spec = Spec()
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(folder))
    return folder / "model.bin"


@pytest.mark.parametrize(
    ("quantization", "tolerance"),
    [(None, 0), ("float16", 2**-11), ("bfloat16", 2**-8), ("int16", 2**-10), ("int8", 1 / 254)],
)
def test_all_types_are_read_as_floats(
    tmp_path: Path, quantization: str | None, tolerance: float
) -> None:
    """Integers by their scales: int16 has one for a whole matrix. Equal ones are stored once."""
    exact, weights = EncoderSpec(), Weights(saved(tmp_path, quantization))
    for name, array in {
        "encoder/linear/weight": exact.linear.weight,
        "encoder/linear/bias": exact.linear.bias,
        "encoder/conv/weight": exact.conv.weight,
        "encoder/norm/gamma": exact.norm.gamma,
        "encoder/norm/beta": exact.norm.beta,
    }.items():
        found = weights.read(name, *array.shape)
        assert found.dtype == np.float32
        rows = array.reshape(1 if quantization == "int16" or array.ndim == 1 else len(array), -1)
        apart = np.abs(found.reshape(rows.shape) - rows).max(1)
        assert (apart <= 1.001 * tolerance * np.abs(rows).max(1)).all()


def test_what_is_missing_or_has_another_shape_is_named(tmp_path: Path) -> None:
    """Kernels are given addresses: an array that is too short would be read past its end."""
    weights = Weights(saved(tmp_path))
    with pytest.raises(CheckpointError, match=r"model\.bin cannot be used.* lacks 'encoder/gone'"):
        weights.read("encoder/gone", 1)
    with pytest.raises(CheckpointError, match=r"'encoder/norm/beta' has the shape \(40,\) inst"):
        weights.read("encoder/norm/beta", 41)


def test_bytes_that_are_no_whole_array_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    name = b"encoder/linear/bias\0\1"  # of one dimension
    data = path.read_bytes().replace(name + struct.pack("<I", 6), name + struct.pack("<I", 5))
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="'encoder/linear/bias' is damaged"):
        Weights(path).read("encoder/linear/bias", 6)
