"""The edges of words in the sound: where a word that the attention found begins and ends.

The decoder's attention gives a pause to the word after it, so that a word seems to begin where the
one before it ends. Its energy tells better: a word lies within the sounds between two pauses.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from voxgate.transcript.spans import Span

RATE = 16_000
HOP = 160  # samples: 10 ms
FRAME = 400  # samples: 25 ms
HOP_S = HOP / RATE
LOUDEST_S = 1.5  # the stretch around a frame with whose loudest sound it is compared
BELOW_PEAK_DB = 35.0  # so much quieter than that is a pause
ABOVE_FLOOR_DB = 9.0  # unless it is so much louder than the quietest sound of the window
SHORT_GAP_S = 0.06  # a closure of a consonant (p, t, k) is no pause
REACH_S = 0.5  # how far a word's end may lie from where the attention sees it


class SoundEdges:
    """Tells speech from pauses, frame by frame, by the energy of a window."""

    def __init__(self, pcm16: bytes) -> None:
        energy = _energy_db(np.frombuffer(pcm16, "<i2").astype(np.float32))
        self._sounds = _close_gaps(_loud(energy), round(SHORT_GAP_S / HOP_S))
        self._duration_s = len(pcm16) / 2 / RATE

    def fit(self, spans: Sequence[Span]) -> list[Span]:
        """Return the spans of consecutive words with their edges moved to those of the sound.

        They stay in order, do not overlap, and lie within the window.
        """
        fitted = list[tuple[float, float]]()
        last_end = 0.0
        for (start, end), (next_start, next_end) in pairwise(
            [*spans, (self._duration_s, self._duration_s)]
        ):
            latest = max(next_start, min(next_end, end + REACH_S))
            new_end = self._end(max(start, last_end), end, latest)
            new_start = self._start(max(last_end, min(start, new_end)), new_end)
            last_end = max(new_start, new_end)
            fitted.append((new_start, last_end))
        return fitted

    @property
    def heard(self) -> Span:
        """From the first sound to the last; all of the window where there is none."""
        frames = np.flatnonzero(self._sounds)
        if not len(frames):
            return 0.0, self._duration_s
        return int(frames[0]) * HOP_S, min(self._duration_s, (int(frames[-1]) + 1) * HOP_S)

    def _end(self, start: float, end: float, limit: float) -> float:
        """Return where the sound around `end` stops: later if it goes on, earlier if it stopped."""
        first, at, last = _frame(start), _frame(end), _frame(limit)
        if at < len(self._sounds) and at > 0 and self._sounds[at - 1]:
            stops = np.flatnonzero(~self._sounds[at:last])
            return (at + int(stops[0])) * HOP_S if len(stops) else end
        heard = np.flatnonzero(self._sounds[first:at])
        return (first + int(heard[-1]) + 1) * HOP_S if len(heard) else end

    def _start(self, start: float, end: float) -> float:
        """Return where the last stretch of sound before `end` begins, after `start`."""
        first, at = _frame(start), _frame(end)
        pauses = np.flatnonzero(~self._sounds[first:at])
        if not len(pauses):
            return start
        return min(end, (first + int(pauses[-1]) + 1) * HOP_S)


def _frame(seconds: float) -> int:
    return max(0, round(seconds / HOP_S))


def _energy_db(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the energy of each 10 ms, of 25 ms around its middle, in dB."""
    if not sound.size:
        return np.zeros(0, np.float32)
    square = np.concatenate([[0.0], np.cumsum(np.square(sound, dtype=np.float64))])
    middles = np.arange(HOP // 2, len(sound) + HOP // 2, HOP)
    low = np.clip(middles - FRAME // 2, 0, len(sound))
    high = np.clip(middles + FRAME // 2, 0, len(sound))
    mean = (square[high] - square[low]) / np.maximum(high - low, 1)
    return np.asarray(10 * np.log10(mean + 1.0), np.float32)


def _loud(energy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which frames are sound rather than pause."""
    if not energy.size:
        return np.zeros(0, np.bool_)
    reach = round(LOUDEST_S / HOP_S)
    padded = np.pad(energy, reach, constant_values=-np.inf)
    peaks = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    floor = np.percentile(energy, 5)
    limit = np.minimum(floor + ABOVE_FLOOR_DB, peaks - 6)
    return np.asarray(energy > np.maximum(peaks - BELOW_PEAK_DB, limit))


def _close_gaps(sounds: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """Return the frames with pauses of at most `longest` frames between sounds filled."""
    closed = sounds.copy()
    edges = np.flatnonzero(np.diff(sounds.astype(np.int8)))
    for end, start in pairwise(edges):
        if sounds[end] and start - end <= longest:
            closed[end + 1 : start + 1] = True
    return closed
