"""Audio that exercises every part of the features: a chirp under noise, loudest at its start.

All are int16-representable, as the reference takes sound at that precision.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RATE = 16_000  # samples a second
Samples: TypeAlias = NDArray[np.float32]


def chirp(seconds: float, seed: int = 7) -> Samples:
    """100 Hz to 7 kHz every 8 s; fading, so that chunks differ in their maxima."""
    time = np.arange(round(seconds * RATE)) / RATE
    sweep = time % 8.0
    tone = np.sin(2 * np.pi * (100 * sweep + 6900 / 16 * sweep**2))
    noise = np.random.default_rng(seed).standard_normal(time.size)
    return representable((0.5 * tone + 0.02 * noise) * 0.01 ** (time / 40))


def representable(samples: NDArray[np.float64]) -> Samples:
    """Round samples to multiples of 1/32768."""
    steps = np.clip(np.round(samples * 32768), -32768, 32767)
    return (steps / 32768).astype(np.float32)
