"""The wire that an engine and its callers share: routes, options, events and failures.

Events travel as NDJSON, one object a line; `docs/engine-protocol.md` shows each. Decoding is
strict on both sides: a field that is missing, unknown or of another type is an error, because a
field that is passed over is a promise broken in silence.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias, cast, get_args

from voxgate.engine.queue import Lane
from voxgate.engine.record import MalformedError, StrictRecord
from voxgate.errors import (
    EngineBusyError,
    EngineError,
    EngineRefusedError,
    OptionError,
    UnsupportedLanguageError,
    UsageError,
    VoxgateError,
)
from voxgate.transcript.values import (
    Delta,
    Done,
    Event,
    Notice,
    Options,
    Progress,
    Segment,
    TimeSource,
    Word,
)

HEALTH_ROUTE = "/health"
TRANSCRIBE_ROUTE = "/transcribe"
OPTIONS_HEADER = "voxgate-options"  # JSON in ASCII
HEAD_BYTES = 4 * 2**20  # the longest head of a request: 256 KiB of vocabulary, escaped, fit in it
LANE_HEADER = "voxgate-lane"
NDJSON = "application/x-ndjson"

SAMPLE_RATE = 16_000  # Hz: the only sound an engine takes is mono PCM16LE at this rate
SAMPLE_BYTES = 2
MAX_SEED = 2**63 - 1
LINE_BYTES = 2**20  # the longest line a caller reads: a segment of 10 000 words

_TYPES: dict[type[Event], str] = {
    Delta: "delta",
    Segment: "segment",
    Progress: "progress",
    Done: "done",
}
_ERRORS = (UsageError, OptionError, UnsupportedLanguageError, EngineError, EngineBusyError)


@dataclass(frozen=True, slots=True)
class Failure:
    """A window's end without its result, as it travels."""

    code: str
    sentence: str
    retryable: bool

    @classmethod
    def of(cls, error: VoxgateError) -> Failure:
        """What of an error may leave the engine."""
        return cls(error.code, error.sentence, error.retryable)

    def error(self) -> VoxgateError:
        """The error to raise on the caller's side; an unknown code keeps whether a retry helps."""
        for kind in _ERRORS:
            if (kind.code, kind.retryable) == (self.code, self.retryable):
                return kind(self.sentence)
        return (EngineError if self.retryable else EngineRefusedError)(self.sentence)


@dataclass(frozen=True, slots=True)
class Health:
    """How an engine is."""

    model: str
    pid: int
    state: str  # "idle" or "working"
    active: int  # windows in work
    queued: int  # windows that wait
    step_age_s: float | None  # seconds since the last step; None without work
    taken: int  # windows since it started
    idle_s: float | None  # seconds since the last window ended, or the start; None with work

    def encode(self) -> bytes:
        """One JSON object."""
        return _json(asdict(self))

    @classmethod
    def decode(cls, body: bytes) -> Health:
        """The inverse of `encode`. Raises `EngineError` for anything else."""
        try:
            record = StrictRecord.parse(body)
            health = cls(
                model=record.text("model"),
                pid=record.count("pid"),
                state=record.text("state"),
                active=record.count("active"),
                queued=record.count("queued"),
                step_age_s=record.number_or_none("step_age_s"),
                taken=record.count("taken"),
                idle_s=record.number_or_none("idle_s"),
            )
            record.close()
        except MalformedError as error:
            raise _malformed("health", error) from error
        return health


EventLine: TypeAlias = Event | Failure
"""What one line of an answer says. `Done` or a `Failure` is the last."""


def encode(line: EventLine) -> bytes:
    """One line of NDJSON, its newline included."""
    kind = "error" if isinstance(line, Failure) else _TYPES[type(line)]
    return _json({"type": kind, **asdict(line)}) + b"\n"


def decode(line: bytes) -> EventLine:
    """The inverse of `encode`. Raises `EngineError` for anything else."""
    try:
        record = StrictRecord.parse(line)
        decoded = _line(record)
        record.close()
    except MalformedError as error:
        raise _malformed("events", error) from error
    return decoded


def encode_options(options: Options) -> str:
    """Options as JSON in ASCII, fit for a header."""
    return _json(asdict(options)).decode("ascii")


def decode_options(text: str) -> Options:
    """The inverse of `encode_options`; absent fields have their defaults.

    Raises `UsageError`, which names the field, for anything else.
    """
    try:
        record = StrictRecord.parse(text)
        given = _options(record)
        record.close()
    except MalformedError as error:
        raise UsageError(
            f"The options of this call are malformed: {error}. They are a JSON object in the "
            f"header {OPTIONS_HEADER}, with the fields that docs/engine-protocol.md lists."
        ) from error
    return Options(**{name: value for name, value in given.items() if value is not None})


def decode_lane(text: str) -> Lane:
    """Which windows this one goes with. Raises `UsageError` for a lane that there is not."""
    if text not in get_args(Lane):
        raise UsageError(
            f"No lane is called '{text[:40]}'. In the header {LANE_HEADER} stands 'live' for a "
            f"window that somebody waits for while speaking, and 'batch' for any other."
        )
    return cast("Lane", text)


def _options(record: StrictRecord) -> dict[str, Any]:
    """Every option by its name, None for one that is absent.

    `Options` itself knows their ranges, except a seed's, which has to fit a generator.
    """
    return {
        "language": record.text_or_none("language"),
        "temperature": record.number_or_none("temperature", least=-math.inf),
        "top_p": record.number_or_none("top_p", least=-math.inf),
        "seed": record.count_or_none("seed", most=MAX_SEED),
        "max_tokens": record.count_or_none("max_tokens"),
        "stop": record.texts("stop"),
        "frequency_penalty": record.number_or_none("frequency_penalty", least=-math.inf),
        "presence_penalty": record.number_or_none("presence_penalty", least=-math.inf),
        "vocabulary": record.texts("vocabulary"),
    }


def _line(record: StrictRecord) -> EventLine:
    match record.text("type"):
        case "delta":
            return Delta(record.text("text"))
        case "segment":
            return _segment(record)
        case "progress":
            return Progress(record.number("audio_s"))
        case "done":
            notices = tuple(_notice(item) for item in record.records("notices"))
            tokens = record.count_or_none("tokens") or 0
            return Done(record.text_or_none("language"), notices, tokens)
        case "error":
            return Failure(record.text("code"), record.text("sentence"), record.flag("retryable"))
        case unknown:
            raise MalformedError(f"'{unknown}' is no type of event")


def _segment(record: StrictRecord) -> Segment:
    words = tuple(_word(item) for item in record.records("words"))
    start, end = _span(record)
    confidence = record.number_or_none("confidence", most=1)
    return Segment(record.text("text"), start, end, words, confidence, _time_source(record))


def _word(record: StrictRecord) -> Word:
    start, end = _span(record)
    confidence = record.number_or_none("confidence", most=1)
    word = Word(record.text("text"), start, end, confidence, _time_source(record))
    record.close()
    return word


def _notice(record: StrictRecord) -> Notice:
    notice = Notice(record.text("code"), record.text("sentence"))
    record.close()
    return notice


def _span(record: StrictRecord) -> tuple[float, float]:
    start, end = record.number("start"), record.number("end")
    if end < start:
        raise MalformedError(f"'end' {end} comes before 'start' {start}")
    return start, end


def _time_source(record: StrictRecord) -> TimeSource:
    source = record.text("time_source")
    if source not in get_args(TimeSource):
        raise MalformedError(f"'{source}' is no source of times")
    return cast("TimeSource", source)


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _malformed(what: str, error: MalformedError) -> EngineError:
    return EngineError(
        f"The engine's {what} are malformed: {error}. Is it of another version of Voxgate?"
    )
