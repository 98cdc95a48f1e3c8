"""Silero's network by the native kernels, where they are and agree with NumPy."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from voxgate.audio.decoder.silero_network import CHUNK, SileroNetwork, State
from voxgate.audio.decoder.silero_weights import BINS, HIDDEN, SileroWeights
from voxgate.hardware.native_kernels import load_kernels, why_missing

if TYPE_CHECKING:
    from voxgate.audio.decoder.silero_weights import Floats

Network: TypeAlias = "SileroNetwork | SileroKernel"

WAVES: Final = 160  # columns of the basis for 129 bins: the kernel takes whole registers
TOLERANCE: Final = 1e-3  # of a probability


@cache
def load_network() -> Network:
    """Return the kernel; the network in NumPy without kernels, or where they do not agree with it.

    Raises `ValueError` for weights in another format.
    """
    weights = SileroWeights.read()
    network = SileroNetwork(weights)
    if why_missing():
        return network
    kernel = SileroKernel(weights)
    return kernel if _agree(network, kernel) else network


class SileroKernel:
    """The network, with the arrays that the kernel reads. It keeps no state."""

    def __init__(self, weights: SileroWeights) -> None:
        self._hear = load_kernels().hear_speech
        half = len(weights.basis) // 2
        real, imaginary = np.split(weights.basis, 2, axis=1)  # the same from the end, or negative
        self._arrays = [
            np.pad(real[: half + 1], ((0, 0), (0, WAVES - BINS))),
            np.pad(imaginary[1:half], ((0, 0), (0, WAVES - BINS))),
            *(array for pair in weights.convolutions for array in pair),
            *(weights.gates, weights.gate_bias, weights.recurrent),
            *(weights.last, weights.last_bias),
        ]
        self._addresses = [array.ctypes.data for array in self._arrays]

    def __call__(self, chunks: Floats, state: State) -> tuple[Floats, State]:
        """Return the probability of speech in each of [chunks, 512], and the state after them."""
        chunks = np.ascontiguousarray(chunks, np.float32).reshape(-1, CHUNK)
        after, out = np.concatenate([state.hidden, state.cell]), np.empty(len(chunks), np.float32)
        self._hear(
            self._addresses, chunks.ctypes.data, len(chunks), after.ctypes.data, out.ctypes.data
        )
        return out, State(after[:HIDDEN], after[HIDDEN:])


def _agree(network: SileroNetwork, kernel: SileroKernel) -> bool:
    """Return whether both hear the same in some loud noise."""
    noise = np.random.default_rng(0).normal(0, 0.2, (3, CHUNK)).astype(np.float32)
    (expected, _), (heard, _) = network(noise, State.initial()), kernel(noise, State.initial())
    return bool(np.abs(heard - expected).max() <= TOLERANCE)
