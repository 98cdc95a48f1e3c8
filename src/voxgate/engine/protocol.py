"""The wire format of an engine and its callers: routes, options, events and failures.

The question of `ANSWER_ROUTE` has its own module, `question_wire`.

Events travel as NDJSON, one object per line; `docs/engine-protocol.md` shows each. Decoding is
strict on both sides: a field that is missing, unknown or of another type is an error, because a
field that is ignored is a promise that is silently broken.

Encoding uses `json`, not msgspec: a header must be ASCII, and msgspec writes UTF-8.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from voxgate.answers.values import Answered, Finish
from voxgate.errors import CODES, Code, EngineError, UsageError, VoxgateError, error_from_code
from voxgate.transcript.text import encodable
from voxgate.transcript.values import (
    LONGEST_DRAFT,
    Decoding,
    Delta,
    Done,
    Event,
    Notice,
    Options,
    Progress,
    Segment,
    Task,
    TimeSource,
    Word,
)

HEALTH_ROUTE = "/health"
TRANSCRIBE_ROUTE = "/transcribe"
ALIGN_ROUTE = "/align"
ANSWER_ROUTE = "/answer"
OPTIONS_HEADER = "voxgate-options"  # JSON in ASCII
ALIGN_HEADER = "voxgate-align"  # JSON in ASCII
NDJSON = "application/x-ndjson"

HEAD_BYTES = 4 * 2**20  # the longest head of a request: 256 KiB of vocabulary, escaped, fit in it
LINE_BYTES = 2 * 2**20  # the longest line a caller reads: a segment of 20 000 words
MAX_TEXT = 16_384  # characters of a text to align: its words fit in a line, however short
MAX_SEED = 2**63 - 1  # the largest seed of a random generator

Count: TypeAlias = Annotated[int, Meta(ge=0)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0)]
Probability: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


class Failure(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="error"
):
    """The end of a window without a result, as it travels."""

    code: str
    sentence: str
    retryable: bool

    @classmethod
    def from_error(cls, error: VoxgateError) -> Failure:
        """Return what may leave the engine of an error."""
        return cls(error.code, error.sentence, error.retryable)

    def to_error(self) -> VoxgateError:
        """Return the error to raise on the caller's side.

        An unknown code becomes `engine_error` or `engine_refused`, by whether a retry can help.
        """
        for code in _KNOWN_CODES:
            if (code, CODES[code].retryable) == (self.code, self.retryable):
                return error_from_code(code, self.sentence)
        return EngineError(self.sentence, code=None if self.retryable else "engine_refused")


_KNOWN_CODES: tuple[Code, ...] = (
    "invalid_request",
    "unsupported_option",
    "unsupported_language",
    "unsupported_schema",
    "context_exceeded",
    "engine_error",
    "engine_busy",
)

EventLine: TypeAlias = Event | Answered | Failure
"""One line of a response. `Done`, of an answer `Answered`, or a `Failure` is the last."""


class Health(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The state of an engine."""

    model: str
    pid: Count
    state: str  # "idle" or "working"
    active: Count  # windows in progress
    queued: Count  # windows that wait
    step_age_s: Seconds | None = None  # since the last step; None without work
    taken: Count  # windows since the engine started
    idle_s: Seconds | None = None  # since the last window ended, or the start; None with work
    slots: Count = 0  # the most windows that one step may have
    steps: Count = 0  # since the engine started
    step_windows: Count = 0  # the windows in these steps, each as often as it was in one
    draft_tokens: Count = 0  # tokens of drafts that were checked
    right_draft_tokens: Count = 0  # those of them that were right

    def encode(self) -> bytes:
        """Return one JSON object."""
        return to_json(msgspec.structs.asdict(self))

    @classmethod
    def decode(cls, body: bytes) -> Health:
        """Invert `encode`. Raise `EngineError` for anything else."""
        try:
            return msgspec.json.decode(body, type=cls)
        except MALFORMED as error:
            raise _malformed("health", error) from error


def encode(line: EventLine) -> bytes:
    """Return one line of NDJSON, including its newline."""
    if isinstance(line, Failure):
        return to_json({"type": "error", **msgspec.structs.asdict(line)}) + b"\n"
    return to_json({"type": _EVENT_TYPES[type(line)], **without_unset(line)}) + b"\n"


def decode(line: bytes) -> EventLine:
    """Invert `encode`. Raise `EngineError` for anything else."""
    try:
        wire = _LINE_DECODER.decode(line)
    except MALFORMED as error:
        raise _malformed("events", error) from error
    return wire if isinstance(wire, Failure) else wire.to_event()


_SENT_IF_SET = {
    "task": "transcribe",
    "prompt": "",
    "beam_size": None,
    "draft": "",
    "doubt": None,
    "decoding": None,
    "language_probability": None,
}
"""Fields, with their defaults, that travel only with another value: many models have none."""


def without_unset(value: Event | Answered | Options) -> dict[str, object]:
    """Return the fields that travel."""
    fields = {
        name: field
        for name, field in asdict(value).items()
        if name not in _SENT_IF_SET or field != _SENT_IF_SET[name]
    }
    if isinstance(value, Segment):  # an engine knows nothing of channels
        fields |= {"words": [_without_channel(asdict(word)) for word in value.words]}
        return _without_channel(fields)
    return fields


def _without_channel(fields: dict[str, object]) -> dict[str, object]:
    return {name: field for name, field in fields.items() if name != "channel"}


def encode_options(options: Options) -> str:
    """Return the options as JSON in ASCII, for a header."""
    return to_json(without_unset(options)).decode("ascii")


def decode_options(text: str) -> Options:
    """Invert `encode_options`; absent fields have their defaults.

    Raises `UsageError`, which names the field, for anything else.
    """
    try:
        wire = msgspec.json.decode(text, type=WireOptions)
    except MALFORMED as error:
        raise UsageError(
            f"The options of this call are malformed: {error}. They are a JSON object in the "
            f"header {OPTIONS_HEADER}, with the fields of `Options`."
        ) from error
    return wire.to_options()


def encode_alignment(text: str, language: str | None) -> str:
    """Return the text to align and its language as JSON in ASCII, for a header.

    A lone surrogate, which is no text, is replaced as in every output.
    """
    return to_json({"text": encodable(text), "language": language}).decode("ascii")


def decode_alignment(header: str) -> tuple[str, str | None]:
    """Invert `encode_alignment`.

    Raises `UsageError`, which names the field, for anything else, and for a text that is too long.
    """
    try:
        wire = msgspec.json.decode(header, type=_WireAlignment)
    except MALFORMED as error:
        raise UsageError(
            f"The text of this call is malformed: {error}. It is a JSON object in the header "
            f"{ALIGN_HEADER}, with 'text' and 'language'."
        ) from error
    if len(wire.text) > MAX_TEXT:
        raise UsageError(
            f"This text has {len(wire.text)} characters, and a window's text has at most "
            f"{MAX_TEXT}. Cut the window and its text."
        )
    return wire.text, wire.language


# --- the lines as msgspec decodes them -----------------------------------------------------------
# Structs beside the dataclasses of `transcript.values`, because msgspec refuses unknown fields of
# structs only.


class Wire(msgspec.Struct, forbid_unknown_fields=True):
    """A strictly decoded JSON object."""


class WireOptions(Wire):
    """Options; null is the default. `Options` checks the ranges, except that of a seed."""

    language: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)] | None = None
    max_tokens: Count | None = None
    stop: tuple[str, ...] = ()
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    vocabulary: tuple[str, ...] = ()
    task: Task | None = None
    prompt: str | None = None
    beam_size: int | None = None
    draft: Annotated[str, Meta(max_length=LONGEST_DRAFT)] | None = None

    def to_options(self) -> Options:
        """Return the options. Raises `UsageError` for a value out of range."""
        fields = msgspec.structs.asdict(self).items()
        return Options(**{name: value for name, value in fields if value is not None})


class _WireAlignment(Wire):
    text: str
    language: str | None = None


class _WireSpan(Wire):
    """Text with times in seconds."""

    text: str
    start: Seconds
    end: Seconds
    time_source: TimeSource
    confidence: Probability | None = None

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"'end' {self.end} comes before 'start' {self.start}")


class _WireWord(_WireSpan):
    def to_word(self) -> Word:
        return Word(self.text, self.start, self.end, self.confidence, self.time_source)


class _WireDecoding(Wire):
    log_probability: float
    compression_ratio: Annotated[float, Meta(ge=0)]
    no_speech_probability: Probability
    temperature: Annotated[float, Meta(ge=0)]

    def to_decoding(self) -> Decoding:
        return Decoding(**msgspec.structs.asdict(self))


class _WireSegment(_WireSpan, tag_field="type", tag="segment"):
    words: tuple[_WireWord, ...] = ()
    doubt: str | None = None
    decoding: _WireDecoding | None = None

    def to_event(self) -> Segment:
        return Segment(
            self.text,
            self.start,
            self.end,
            tuple(word.to_word() for word in self.words),
            self.confidence,
            self.time_source,
            self.doubt,
            self.decoding.to_decoding() if self.decoding else None,
        )


class _WireDelta(Wire, tag_field="type", tag="delta"):
    text: str

    def to_event(self) -> Delta:
        return Delta(self.text)


class _WireProgress(Wire, tag_field="type", tag="progress"):
    audio_s: Seconds

    def to_event(self) -> Progress:
        return Progress(self.audio_s)


class _WireNotice(Wire):
    code: str
    sentence: str


class _WireDone(Wire, tag_field="type", tag="done"):
    language: str | None = None
    notices: tuple[_WireNotice, ...] = ()
    tokens: Count | None = None
    language_probability: Probability | None = None

    def to_event(self) -> Done:
        notices = tuple(Notice(notice.code, notice.sentence) for notice in self.notices)
        return Done(self.language, notices, self.tokens or 0, self.language_probability)


class _WireAnswered(Wire, tag_field="type", tag="answered"):
    finish: Finish
    prompt_tokens: Count
    tokens: Count
    audio_tokens: Count = 0
    unread: Count = 0

    def to_event(self) -> Answered:
        return Answered(**msgspec.structs.asdict(self))


_EVENT_TYPES: dict[type[Event | Answered], str] = {
    Delta: "delta",
    Segment: "segment",
    Progress: "progress",
    Done: "done",
    Answered: "answered",
}
_LINE_DECODER = msgspec.json.Decoder(
    _WireDelta | _WireSegment | _WireProgress | _WireDone | _WireAnswered | Failure
)
MALFORMED = (msgspec.DecodeError, UnicodeError, RecursionError)


def to_json(value: dict[str, object]) -> bytes:
    """Return one JSON object in ASCII."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _malformed(what: str, error: Exception) -> EngineError:
    return EngineError(
        f"The engine's {what} are malformed: {error}. Is the engine of another version of Voxgate?"
    )
