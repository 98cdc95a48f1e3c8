"""Find speech regions in a stream of speech probabilities.

The rules are Silero's: hysteresis, a minimum pause, a minimum utterance, padding. One rule is
added: longer speech without a pause is divided into regions that touch, where it is quietest. A
window may then end at any of these places, and is full although nobody paused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.audio.spool import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VAD_CHUNK = 512  # samples for each probability
VAD_CHUNK_S = VAD_CHUNK / SAMPLE_RATE
LONGEST_REGION_S = 3.0
"""Longer speech is divided: a window is then full to within three seconds."""
PROBABILITY_DB = 20.0
"""What certain speech counts in decibels, where the quietest place is looked for. The level finds
the gap between two words, the probability tells it from a quiet consonant."""


@dataclass(frozen=True, slots=True)
class SpeechRegion:
    """Samples [start, end) of the recording that contain speech, padding included."""

    start: int
    end: int
    cut_db: float | None = None  # how loud its end is, if it was cut there; None for a pause


@dataclass(frozen=True, slots=True)
class SpeechRules:
    """The rules for where speech begins and ends. Times in seconds."""

    longest_s: float = LONGEST_REGION_S  # of a region, padding included
    threshold: float = 0.5  # probability at which speech begins …
    release: float = 0.35  # … and below which it may end
    pause_s: float = 0.3  # a shorter pause is part of the speech
    shortest_s: float = 0.1  # a shorter burst is a click, not a word
    pad_s: float = 0.2  # added on both sides: consonants are quiet


class SpeechDetector:
    """Turns probabilities into regions, each as soon as it has ended. Regions never overlap."""

    def __init__(self, rules: SpeechRules) -> None:
        self._rules = rules
        self._pad = round(rules.pad_s * SAMPLE_RATE)
        self._pause = max(1, round(rules.pause_s / VAD_CHUNK_S))
        self._shortest = rules.shortest_s / VAD_CHUNK_S
        self._longest = max(3, int((rules.longest_s - 2 * rules.pad_s) / VAD_CHUNK_S))
        self._chunks = 0  # the number of probabilities so far
        self._speech: list[float] = []  # the loudness of the chunks of the open region, dB
        self._quiet_chunks = 0  # at the end of the open region, below `release`
        self._follows_cut = False  # the open region continues one that was cut, without a pause
        self._end = 0  # of the last region, in samples

    def feed(
        self, probabilities: Iterable[float], levels_db: Iterable[float]
    ) -> list[SpeechRegion]:
        """Add probabilities in [0, 1] and levels, one for each 512 samples.

        Return the regions that ended.
        """
        chunks = zip(probabilities, levels_db, strict=True)
        return [region for chunk in chunks if (region := self._step(*chunk)) is not None]

    def finish(self, samples: int) -> list[SpeechRegion]:
        """Return the region that is open at the end of the recording, if there is one."""
        region = self._close(end_of_recording=samples) if self._speech else None
        return [region] if region else []

    @property
    def settled(self) -> int:
        """The sample before which no further region can begin."""
        if self._speech:
            return self._padded_start(self._chunks - len(self._speech))
        return max(self._end, self._chunks * VAD_CHUNK - self._pad)

    def _step(self, probability: float, level_db: float) -> SpeechRegion | None:
        self._chunks += 1
        if not self._speech and probability < self._rules.threshold:
            return None
        self._speech.append(level_db + PROBABILITY_DB * probability)
        quiet = probability < self._rules.release
        self._quiet_chunks = self._quiet_chunks + 1 if quiet else 0
        if self._quiet_chunks >= self._pause:
            return self._close()
        if len(self._speech) >= self._longest:
            return self._cut()
        return None

    def _close(self, end_of_recording: int | None = None) -> SpeechRegion | None:
        """End the open region where its last pause began. Return None for a click."""
        first = self._chunks - len(self._speech)
        last = self._chunks - self._quiet_chunks
        start, end = self._padded_start(first), last * VAD_CHUNK + self._pad
        click = last - first < self._shortest and not self._follows_cut
        self._speech, self._quiet_chunks, self._follows_cut = [], 0, False
        if click:
            return None
        self._end = end if end_of_recording is None else min(end, end_of_recording)
        return SpeechRegion(start, self._end) if start < self._end else None

    def _cut(self) -> SpeechRegion:
        """End the open region at the quietest place of its later half. Open one from there.

        There is no pause between the two regions: they touch, and no padding is added.
        """
        first = self._chunks - len(self._speech)
        at, loudness_db = _quietest(self._speech)
        start, self._end = self._padded_start(first), (first + at) * VAD_CHUNK + VAD_CHUNK // 2
        self._speech = self._speech[at:]
        self._quiet_chunks = min(self._quiet_chunks, len(self._speech))
        self._follows_cut = True
        return SpeechRegion(start, self._end, loudness_db)

    def _padded_start(self, first: int) -> int:
        return max(self._end, first * VAD_CHUNK - self._pad, 0)


def _quietest(loudness_db: Sequence[float]) -> tuple[int, float]:
    """Return the chunk of the later half in whose middle it is quietest, and how loud it is.

    Three chunks are about 100 ms: a shorter gap is within a word.
    """
    half = len(loudness_db) // 2
    means = {at: _mean_around(loudness_db, at) for at in range(half, len(loudness_db) - 1)}
    at = min(means, key=means.__getitem__)
    return at, means[at]


def _mean_around(loudness_db: Sequence[float], at: int) -> float:
    return sum(loudness_db[at - 1 : at + 2]) / 3
