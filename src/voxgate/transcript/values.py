"""The canonical values: what is asked of a model, what comes back, and what happens in between.

Frozen, with slots, free of numpy and of every wire format. Times are seconds on the recording's own
timeline; a provider states them relative to its window, and `transcript.assemble` moves them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

TimeSource: TypeAlias = Literal["recognised", "speech_region", "interpolated"]
"""Where a time comes from: the model, the speech detector, or a guess between known times."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller asks of the transcription. Passed whole, never taken apart on the way.

    `language` is a promise: an ISO 639-1 code that the model knows, or the request fails. None lets
    the model decide.
    """

    language: str | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """One word, as it is written, without surrounding space. `confidence` is in [0, 1]."""

    text: str
    start: float  # seconds
    end: float  # seconds, >= start
    confidence: float | None = None
    time_source: TimeSource = "recognised"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech between pauses. `words` is empty when the provider times none."""

    text: str
    start: float  # seconds
    end: float  # seconds, >= start
    words: tuple[Word, ...] = ()
    confidence: float | None = None
    time_source: TimeSource = "recognised"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the caller should know about a result that is still a result.

    `code` is stable, for programs (`truncated_audio`, `clock_jump` …); `sentence` is for people.
    """

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of one recording on one timeline.

    Segments are in order, do not overlap, and lie within [0, `duration`].
    """

    segments: tuple[Segment, ...]
    duration: float  # seconds of decoded sound
    model: str
    language: str | None = None  # ISO 639-1
    notices: tuple[Notice, ...] = ()

    @property
    def text(self) -> str:
        """The segments' texts joined by single spaces; empty for a recording without speech."""
        return " ".join(segment.text for segment in self.segments if segment.text)

    @property
    def words(self) -> tuple[Word, ...]:
        """Every word of every segment, in order."""
        return tuple(word for segment in self.segments for word in segment.words)


# --- events: what a provider says while it works on one window -----------------------------------


@dataclass(frozen=True, slots=True)
class Delta:
    """More text of the segment in hand, as it is recognised. Joined, deltas give the segment."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far into the window the model has come."""

    audio_s: float  # seconds of the window that are done


@dataclass(frozen=True, slots=True)
class Done:
    """The window's end: nothing follows. `language` is what the model heard, if it can tell."""

    language: str | None = None
    notices: tuple[Notice, ...] = field(default=())


Event: TypeAlias = Delta | Segment | Progress | Done
"""A window is any number of Delta, Segment and Progress, then one Done."""
