"""Weights of every type that CTranslate2's converter writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from ctranslate2.specs import common_spec, model_spec

from voxgate.whisper.model_file import read_shapes
from voxgate.whisper.weights import read_weights

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


@pytest.mark.parametrize(
    ("quantization", "tolerance"),
    [(None, 0), ("float16", 2**-11), ("bfloat16", 2**-8), ("int16", 2**-10), ("int8", 1 / 254)],
)
def test_all_types_are_read_as_floats(
    tmp_path: Path, quantization: str | None, tolerance: float
) -> None:
    """Integers by their scales: int16 has one for a whole matrix. Equal ones are stored once."""
    spec, exact = Spec(), EncoderSpec()
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(tmp_path))
    found = read_weights(tmp_path / "model.bin", "encoder/")
    expected = {
        "encoder/linear/weight": exact.linear.weight,
        "encoder/linear/bias": exact.linear.bias,
        "encoder/conv/weight": exact.conv.weight,
        "encoder/norm/gamma": exact.norm.gamma,
        "encoder/norm/beta": exact.norm.beta,
    }
    assert set(expected) <= set(found)
    assert len(found) == len(list(found))
    for name, array in expected.items():
        assert found[name].dtype == np.float32
        assert found[name].shape == array.shape
        rows = array.reshape(1 if quantization == "int16" or array.ndim == 1 else len(array), -1)
        apart = np.abs(found[name].reshape(rows.shape) - rows).max(1)
        assert (apart <= 1.001 * tolerance * np.abs(rows).max(1)).all()
        assert read_shapes(tmp_path / "model.bin")[name] == array.shape
    with pytest.raises(KeyError, match="decoder"):
        found["decoder/embeddings/weight"]
