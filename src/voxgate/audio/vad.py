"""Speech regions: where somebody speaks, from the speech detector's probabilities, in a stream.

The rules are Silero's (hysteresis, a shortest pause, a shortest utterance, padding), with one
addition: a region never outgrows what a model can take, and is then cut at its least likely moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.audio.spool import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable

VAD_CHUNK = 512  # samples a probability
VAD_CHUNK_S = VAD_CHUNK / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class SpeechRegion:
    """Samples [start, end) of the recording in which somebody speaks, padding included."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SpeechRules:
    """When speech begins and ends. Times in seconds."""

    longest_s: float  # a region's, padding included: the model's window
    threshold: float = 0.5  # probability at which speech begins …
    release: float = 0.35  # … and below which it may end
    pause_s: float = 0.3  # a shorter pause is part of the speech
    shortest_s: float = 0.1  # a shorter burst is a click, not a word
    pad_s: float = 0.2  # kept on both sides: consonants are soft


class SpeechDetector:
    """Probabilities in, regions out as soon as they have ended. Regions never overlap."""

    def __init__(self, rules: SpeechRules) -> None:
        self._rules = rules
        self._pad = round(rules.pad_s * SAMPLE_RATE)
        self._pause = max(1, round(rules.pause_s / VAD_CHUNK_S))
        self._shortest = rules.shortest_s / VAD_CHUNK_S
        self._longest = max(2, int((rules.longest_s - 2 * rules.pad_s) / VAD_CHUNK_S))
        self._chunks = 0  # probabilities so far
        self._speech: list[float] = []  # those of the open region
        self._quiet = 0  # chunks at its end that are below release
        self._cut = False  # the open region goes on from a cut, without a pause
        self._end = 0  # samples: where the last region ended

    def feed(self, probabilities: Iterable[float]) -> list[SpeechRegion]:
        """Take the next probabilities, in [0, 1], one for each 512 samples."""
        return [region for p in probabilities if (region := self._step(p)) is not None]

    def finish(self, samples: int) -> list[SpeechRegion]:
        """Close what is open at the recording's end."""
        region = self._close(end_of_recording=samples) if self._speech else None
        return [region] if region else []

    @property
    def settled(self) -> int:
        """Samples before which no further region can begin."""
        if self._speech:
            return self._start(self._chunks - len(self._speech))
        return max(self._end, self._chunks * VAD_CHUNK - self._pad)

    def _step(self, probability: float) -> SpeechRegion | None:
        self._chunks += 1
        if not self._speech and probability < self._rules.threshold:
            return None
        self._speech.append(probability)
        self._quiet = self._quiet + 1 if probability < self._rules.release else 0
        if self._quiet >= self._pause:
            return self._close()
        if len(self._speech) >= self._longest:
            return self._cut_open()
        return None

    def _close(self, end_of_recording: int | None = None) -> SpeechRegion | None:
        """End the open region where its last pause began."""
        first = self._chunks - len(self._speech)
        last = self._chunks - self._quiet
        start, end = self._start(first), last * VAD_CHUNK + self._pad
        click = last - first < self._shortest and not self._cut
        self._speech, self._quiet, self._cut = [], 0, False
        if click:
            return None
        self._end = end if end_of_recording is None else min(end, end_of_recording)
        return SpeechRegion(start, self._end) if start < self._end else None

    def _cut_open(self) -> SpeechRegion:
        """End the open region at its least likely moment of the later half, and go on from there.

        What follows is speech without a pause: the two regions touch, and no padding is added.
        """
        first = self._chunks - len(self._speech)
        half = len(self._speech) // 2
        at = min(range(half, len(self._speech)), key=self._speech.__getitem__)
        start, self._end = self._start(first), (first + at) * VAD_CHUNK
        self._speech = self._speech[at:]
        self._quiet = min(self._quiet, len(self._speech))
        self._cut = True
        return SpeechRegion(start, self._end)

    def _start(self, first: int) -> int:
        return max(self._end, first * VAD_CHUNK - self._pad, 0)
