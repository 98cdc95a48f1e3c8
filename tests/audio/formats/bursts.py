"""A recording that tells which of its seconds are heard, and where, without a recogniser.

Each second has a burst of a pitch of its own. The bursts stand for words: one that is missing is a
lost word, one at another place has a wrong time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tests.sounds import RATE

if TYPE_CHECKING:
    from tests.sounds import Pcm

COUNT: Final = 8
SECONDS: Final = float(COUNT)
START_S: Final = 0.25  # of a burst, in its second
LENGTH_S: Final = 0.5
HEARD: Final = 0.85  # of a burst's length: less is a lost word
PLACE_S: Final = 0.05  # how exact a place must be
AMPLITUDE: Final = 0.25
HISS: Final = 0.01  # so that a second of a codec has about as many bytes as any other
SEED: Final = 14


def bursts() -> Pcm:
    """Return the recording: int16 [samples] at 16 kHz."""
    at = np.arange(round(SECONDS * RATE)) / RATE
    burst = AMPLITUDE * np.sin(2 * np.pi * _pitch(at.astype(int)) * at)
    hiss = HISS * np.random.default_rng(SEED).standard_normal(len(at))
    loud = (at % 1 >= START_S) & (at % 1 < START_S + LENGTH_S)
    return np.round((np.where(loud, burst, 0) + hiss) * 32767).astype(np.int16)


def heard(pcm: Pcm, delay_s: float = 0) -> list[float | None]:
    """Return how late each second's burst is in a sound at 16 kHz, in seconds; None: not heard.

    `delay_s` is where the recording begins in the sound.
    """
    return [_lateness(pcm, second, delay_s + second + START_S) for second in range(COUNT)]


def _pitch(second: Any) -> Any:
    """Return the pitch in Hz: within a telephone's band, and no one a harmonic of another."""
    return 500.0 + 130 * second


def _lateness(pcm: Pcm, second: int, start_s: float) -> float | None:
    """Find the place at which half a second of the sound has most of this pitch.

    A burst that is cut has its highest level at several places: the nearest one counts.
    """
    length = round(LENGTH_S * RATE)
    if len(pcm) < length:
        return None
    turned = pcm / 32767 * np.exp(-2j * np.pi * _pitch(second) * np.arange(len(pcm)) / RATE)
    sums = np.concatenate([[0], np.cumsum(turned)])
    level = np.abs(sums[length:] - sums[:-length]) / (length * AMPLITUDE / 2)
    if level.max() < HEARD:
        return None
    late_s = np.flatnonzero(level >= 0.99 * level.max()) / RATE - start_s
    return float(late_s[np.abs(late_s).argmin()])
