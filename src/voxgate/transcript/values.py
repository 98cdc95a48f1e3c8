"""The canonical values: what is asked of a model, what comes back, and what happens in between.

Frozen, with slots, free of numpy and of every wire format. Times are seconds on the recording's own
timeline; a provider states them relative to its window, and `transcript.assemble` moves them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from voxgate.errors import UsageError

TimeSource: TypeAlias = Literal["recognised", "speech_region", "interpolated"]
"""Where a time comes from: the model, the speech detector, or a guess between known times."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller asks of the transcription. Passed whole, never taken apart on the way.

    `language` is a promise: an ISO 639-1 code that the model knows, or the request fails. None lets
    the model decide. The others are those of openrouter-api.md 2.7, with its ranges; over several
    windows `max_tokens` and `stop` concern the joined text. A default asks for nothing. Raises
    `UsageError`, which names the field, for a value out of its range.
    """

    language: str | None = None
    temperature: float = 0.0  # 0 to 2; 0 is greedy: always the likeliest token
    top_p: float = 1.0  # 0 to 1: the share of probability that tokens are drawn from
    seed: int | None = None  # the same text again; None draws another one each time
    max_tokens: int | None = None  # from 1 on; None is as many as the sound needs
    stop: tuple[str, ...] = ()  # the text ends before the first of these
    frequency_penalty: float = 0.0  # -2 to 2, for each time that a token has occurred
    presence_penalty: float = 0.0  # -2 to 2, for having occurred

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value: float = getattr(self, name)
            if not least <= value <= most:  # NaN is in no range
                raise UsageError(
                    f"'{name}' is {value:g}, and has to be between {least:g} and {most:g}. Correct "
                    f"it, or leave it out."
                )
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(
                f"'max_tokens' is {self.max_tokens}, and has to be 1 at least. Correct it, or "
                f"leave it out."
            )
        if "" in self.stop:
            raise UsageError("'stop' holds an empty text, which stands everywhere. Leave it out.")

    def asks(self, name: str) -> bool:
        """Whether the option of this name differs from its default."""
        return bool(getattr(self, name) != getattr(_NOTHING, name))

    def without(self, *names: str) -> Options:
        """The options with the defaults of these."""
        return replace(self, **{name: getattr(_NOTHING, name) for name in names})


_RANGES = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "frequency_penalty": (-2.0, 2.0),
    "presence_penalty": (-2.0, 2.0),
}
_NOTHING = Options()


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
    """A stretch of speech between pauses. `words` is empty when nothing is known of their times."""

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
    model: str  # its own name, whatever alias was asked for
    language: str | None = None  # ISO 639-1
    notices: tuple[Notice, ...] = ()
    revision: str | None = None  # of the model's checkpoint, where it has one
    profile: str | None = None  # how its weights were held, where that can be chosen

    @property
    def checkpoint(self) -> dict[str, str]:
        """What is known of the checkpoint that answered, by the names that every writer uses."""
        known = {"revision": self.revision, "profile": self.profile}
        facts = {name: fact for name, fact in known.items() if fact is not None}
        return {"checkpoint": self.model, **facts} if facts else {}

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
    tokens: int = 0  # generated for this window; 0 where the model has none


Event: TypeAlias = Delta | Segment | Progress | Done
"""A window is any number of Delta, Segment and Progress, then one Done."""
