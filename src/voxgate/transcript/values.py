"""The transcript values: a caller's options, the transcript, and a provider's events.

They are frozen, have slots, and depend on neither numpy nor a wire format. Times are seconds on the
recording's timeline. A provider states them relative to its window, and `transcript.merge` moves
them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from voxgate.errors import UsageError
from voxgate.transcript.language import parse_language

TimeSource: TypeAlias = Literal["recognised", "aligned", "speech_region", "interpolated"]
"""The origin of a time: the model, another model that aligned the text with the sound, the speech
detector, or interpolation between known times."""

Task: TypeAlias = Literal["transcribe", "translate"]
"""To write what is said in its own language, or in English."""


LONGEST_DRAFT = 16_384
"""Characters of a window's draft: no window has so many, and an engine takes no more."""


@dataclass(frozen=True, slots=True)
class Options:
    """The caller's options for one transcription. They are always passed as one object.

    `language` is a code, a tag or a name of it, of which the code is kept: see `parse_language`. If
    the model does not know it, the request fails. With None the model detects the language. The
    other options and their ranges are those of openrouter-api.md 2.7. For a recording of several
    windows, `max_tokens` and `stop` apply to the joined text. An option with its default value has
    no effect. Raises `UsageError`, which names the field, for a value out of its range.
    """

    language: str | None = None
    temperature: float = 0.0  # 0 to 2; 0 is greedy: always the most likely token
    top_p: float = 1.0  # 0 to 1: the share of probability that tokens are drawn from
    seed: int | None = None  # makes the text repeatable; with None each run draws anew
    max_tokens: int | None = None  # at least 1; None is as many as the sound needs
    stop: tuple[str, ...] = ()  # the text ends before the first occurrence of any
    frequency_penalty: float = 0.0  # -2 to 2, for each occurrence of a token
    presence_penalty: float = 0.0  # -2 to 2, once for a token that has occurred
    vocabulary: tuple[str, ...] = ()  # words and phrases that the recording probably contains
    task: Task = "transcribe"
    prompt: str = ""  # a text that could precede the recording: its spelling and style are kept
    beam_size: int | None = None  # 1 to 10 texts are compared; None is the model's own number
    draft: str = ""  # of a window: what another model heard; it makes the text faster, no other

    def __post_init__(self) -> None:
        object.__setattr__(self, "language", parse_language(self.language))
        for name, (lowest, highest) in _RANGES.items():
            value: float | None = getattr(self, name)
            if value is not None and not lowest <= value <= highest:  # also true for NaN
                raise UsageError(
                    f"'{name}' is {value:g}, but must be between {lowest:g} and {highest:g}. "
                    f"Correct it, or leave it out."
                )
        if self.task not in TASKS:
            raise UsageError(
                f"'task' is '{self.task[:60]}', but must be one of: {', '.join(TASKS)}."
            )
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(
                f"'max_tokens' is {self.max_tokens}, but must be at least 1. Correct it, or "
                f"leave it out."
            )
        if "" in self.stop:
            raise UsageError(
                "'stop' contains an empty text, which matches everywhere. Leave it out."
            )

    @property
    def greedy(self) -> bool:
        """Whether the most likely token is always chosen."""
        return not (self.temperature or self.frequency_penalty or self.presence_penalty)

    def is_set(self, name: str) -> bool:
        """Return whether the option `name` differs from its default."""
        return bool(getattr(self, name) != getattr(_DEFAULTS, name))

    def without(self, *names: str) -> Options:
        """Return options of which those with these `names` have their defaults."""
        if not names:
            return self
        return replace(self, **{name: getattr(_DEFAULTS, name) for name in names})


_RANGES = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "frequency_penalty": (-2.0, 2.0),
    "presence_penalty": (-2.0, 2.0),
    "beam_size": (1, 10),
}
TASKS: tuple[Task, ...] = get_args(Task)
_DEFAULTS = Options()


@dataclass(frozen=True, slots=True)
class Word:
    """One word as written in the text, without surrounding space. `confidence` is in [0, 1]."""

    text: str
    start: float  # seconds
    end: float  # seconds, >= start
    confidence: float | None = None
    time_source: TimeSource = "recognised"
    channel: int | None = None  # of the recording, from 1; None: its channels were mixed


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the window that a segment comes from was decoded, in the terms of openai/whisper."""

    log_probability: float  # the mean of the tokens; below -1 the text is unlikely
    compression_ratio: float  # of the text by zlib; above 2.4 it repeats itself
    no_speech_probability: float
    temperature: float  # of the attempt that gave this text


REPEATS, UNLIKELY = "repeats itself", "is unlikely"
"""Why a text is doubtful."""

JOINT = " "
"""What stands between the texts of two segments in a transcript's text."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech between pauses. `words` is empty when the times of words are unknown.

    A doubtful text is one that the model could not improve on: it stays, and `doubt` says why it
    may not have been said, `REPEATS` or `UNLIKELY`.
    """

    text: str
    start: float  # seconds
    end: float  # seconds, >= start
    words: tuple[Word, ...] = ()
    confidence: float | None = None
    time_source: TimeSource = "recognised"
    doubt: str | None = None  # what is doubtful about the text
    decoding: Decoding | None = None  # of models that report it
    channel: int | None = None  # of the recording, from 1; None: its channels were mixed


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning about a result that is still usable.

    `code` is stable and for programs (`truncated_audio`, `clock_jump` …). `sentence` is for people.
    """

    code: str
    sentence: str

    @property
    def public(self) -> Notice:
        """The notice as a server tells it to its callers, who may be anybody."""
        return self


@dataclass(frozen=True, slots=True)
class FailureNotice(Notice):
    """A notice with the sentence of an error, which may be for those of the machine alone."""

    public_sentence: str

    @property
    def public(self) -> Notice:
        """The notice with the sentence that is for callers."""
        return Notice(self.code, self.public_sentence)


@dataclass(frozen=True, slots=True)
class Structured:
    """Data about a recording, by a caller's JSON schema."""

    json: str | None  # a value that the schema allows; None where it was cut off
    finish: Literal["stop", "length"] = "stop"  # complete, or cut off


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of one recording on one timeline.

    Segments are in order and lie within [0, `duration`]. Those of one channel do not overlap. Their
    times and those of their words are whole milliseconds; `duration` is that of the samples.
    """

    segments: tuple[Segment, ...]
    duration: float  # seconds of decoded sound
    model: str  # its own name, even if the request used an alias
    language: str | None = None  # ISO 639-1, of the speech
    notices: tuple[Notice, ...] = ()
    revision: str | None = None  # of the model's checkpoint, if it has one
    profile: str | None = None  # the format of its weights, if there is a choice
    task: Task = "transcribe"  # "translate": the text is English
    language_probability: float | None = None  # where the model detected the language
    channel_names: tuple[str, ...] = ()  # of the first channels, as the caller named them
    tokens: int = 0  # that models wrote for text and data; 0 where they count none
    structured: Structured | None = None  # data, where a caller asked for it beside the text

    @property
    def checkpoint(self) -> dict[str, str]:
        """The checkpoint, revision and profile as far as known, under the names in every format."""
        optional = {"revision": self.revision, "profile": self.profile}
        facts = {name: fact for name, fact in optional.items() if fact is not None}
        return {"checkpoint": self.model, **facts} if facts else {}

    @property
    def text(self) -> str:
        """The segments' texts joined by single spaces; empty for a recording without speech."""
        return JOINT.join(segment.text for segment in self.segments if segment.text)

    @property
    def words(self) -> tuple[Word, ...]:
        """Every word of every segment, in the order of their times."""
        words = (word for segment in self.segments for word in segment.words)
        return tuple(sorted(words, key=lambda word: word.start))


# --- events: what a provider sends while it transcribes one window -------------------------------


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of the current segment. The joined deltas of a segment are its text."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of the window the model has transcribed."""

    audio_s: float  # seconds of the window that are done


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of a window. `language` is the detected one, if the model detects it."""

    language: str | None = None
    notices: tuple[Notice, ...] = field(default=())
    tokens: int = 0  # generated for this window; 0 for a model without tokens
    language_probability: float | None = None  # None: not detected, or the model does not say


Event: TypeAlias = Delta | Segment | Progress | Done
"""A window sends any number of Delta, Segment and Progress events, then one Done."""
