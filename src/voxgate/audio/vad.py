"""Find speech regions in a stream of speech probabilities.

The rules are Silero's: hysteresis, a minimum pause, a minimum utterance, padding. One rule is
added: a region that reaches the longest duration that a model takes is cut at the chunk with the
lowest probability in its later half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.audio.spool import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable

VAD_CHUNK = 512  # samples for each probability
VAD_CHUNK_S = VAD_CHUNK / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class SpeechRegion:
    """Samples [start, end) of the recording that contain speech, padding included."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SpeechRules:
    """The rules for where speech begins and ends. Times in seconds."""

    longest_s: float  # of a region, padding included: the model's window
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
        self._longest = max(2, int((rules.longest_s - 2 * rules.pad_s) / VAD_CHUNK_S))
        self._chunks = 0  # the number of probabilities so far
        self._speech: list[float] = []  # the probabilities of the open region
        self._quiet_chunks = 0  # at the end of the open region, below `release`
        self._follows_cut = False  # the open region continues one that was cut, without a pause
        self._end = 0  # of the last region, in samples

    def feed(self, probabilities: Iterable[float]) -> list[SpeechRegion]:
        """Add probabilities in [0, 1], one for each 512 samples. Return the regions that ended."""
        return [region for p in probabilities if (region := self._step(p)) is not None]

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

    def _step(self, probability: float) -> SpeechRegion | None:
        self._chunks += 1
        if not self._speech and probability < self._rules.threshold:
            return None
        self._speech.append(probability)
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
        """End the open region at the lowest probability of its later half. Open one from there.

        There is no pause between the two regions: they touch, and no padding is added.
        """
        first = self._chunks - len(self._speech)
        half = len(self._speech) // 2
        at = min(range(half, len(self._speech)), key=self._speech.__getitem__)
        start, self._end = self._padded_start(first), (first + at) * VAD_CHUNK
        self._speech = self._speech[at:]
        self._quiet_chunks = min(self._quiet_chunks, len(self._speech))
        self._follows_cut = True
        return SpeechRegion(start, self._end)

    def _padded_start(self, first: int) -> int:
        return max(self._end, first * VAD_CHUNK - self._pad, 0)
