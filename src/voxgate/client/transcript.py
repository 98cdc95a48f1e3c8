"""Parse a server's `verbose_json` to a `Transcript`: the inverse of the writer of that name.

The response of any OpenRouter-compatible server is accepted, even without Voxgate's own fields. A
time without `time_source` counts as recognised, and text without segments becomes one segment.
Words with interpolated times are left out, because they can be interpolated again when needed. In a
`speech_region` they are kept, because a local transcript has them there, too.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from voxgate.errors import ServerError
from voxgate.transcript.merge import join_segments, place_segments
from voxgate.transcript.segment_words import with_words
from voxgate.transcript.text import one_line
from voxgate.transcript.values import (
    Decoding,
    Notice,
    Segment,
    Structured,
    TimeSource,
    Transcript,
    Word,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


@dataclass(frozen=True, slots=True)
class UntrustedObject:
    """The members of a JSON object whose types have not been checked.

    `path` is the object's position in the response: "" or "segments[3]". The accessors raise a
    `ServerError` that names the member and its fault. A null member counts as missing.
    """

    members: Mapping[str, Any]
    path: str = ""

    def has(self, name: str) -> bool:
        """Return whether the member exists and is not null."""
        return self.members.get(name) is not None

    def text(self, name: str) -> str:
        """Return a string, which may be empty."""
        value = self._member(name)
        if not isinstance(value, str):
            raise self.invalid(name, "is not a string")
        return value

    def number(self, name: str) -> float:
        """Return a finite number."""
        value = self._member(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise self.invalid(name, "is not a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.invalid(name, "is not a finite number")
        return number

    def objects(self, name: str) -> list[UntrustedObject]:
        """Return a list of objects; empty if the member is missing."""
        values = self.members.get(name)
        if values is None:
            return []
        if not isinstance(values, list):
            raise self.invalid(name, "is not a list")
        found = [
            UntrustedObject(value, f"{self._path(name)}[{index}]")
            for index, value in enumerate(values)
            if isinstance(value, dict)
        ]
        if len(found) < len(values):
            raise self.invalid(name, "contains something that is not an object")
        return found

    def texts(self, name: str) -> list[str]:
        """Return the strings of a list; empty if the member is missing."""
        values = self.members.get(name)
        if values is not None and not isinstance(values, list):
            raise self.invalid(name, "is not a list")
        return [value for value in values or () if isinstance(value, str)]

    def object(self, name: str) -> UntrustedObject:
        """Return an object; an empty one if the member is missing."""
        value = self.members.get(name)
        if value is not None and not isinstance(value, dict):
            raise self.invalid(name, "is not an object")
        return UntrustedObject(value or {}, self._path(name))

    def invalid(self, name: str, fault: str) -> ServerError:
        """Return the error for an invalid member."""
        return ServerError(
            f"The server's response cannot be used: '{self._path(name)}' {fault}. Check that the "
            f"versions of the server and of this client are compatible."
        )

    def _member(self, name: str) -> Any:
        if not self.has(name):
            raise self.invalid(name, "is missing")
        return self.members[name]

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


_SOURCES: dict[str, TimeSource] = {source: source for source in get_args(TimeSource)}
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_].*)?", re.IGNORECASE | re.DOTALL)


def parse_transcript(members: Mapping[str, Any], *, model: str) -> Transcript:
    """Parse a response to a request for `model`. Raises `ServerError` for an invalid member.

    Times that overlap, run backwards or lie outside the recording are corrected, as for every
    provider. The order of the text is trusted.
    """
    body = UntrustedObject(members)
    text = body.text("text")
    words = [_word(item) for item in body.objects("words")]
    timed = [word for word in words if word.time_source != "interpolated"]
    segments = [_segment(item) for item in body.objects("segments")]
    duration = _duration(body, [*segments, *timed])
    placed = place_segments(segments, 0.0, duration)
    spoken = with_words(placed, words) if placed else [_one_segment(text, timed, duration)]
    checkpoint = body.object("voxgate")
    transcript = join_segments(
        place_segments(spoken, 0.0, duration),
        duration=duration,
        model=body.text("model") if body.has("model") else model,
        language=_language(body),
        notices=[
            Notice(item.text("code"), item.text("sentence")) for item in body.objects("warnings")
        ],
        revision=checkpoint.text("revision") if checkpoint.has("revision") else None,
        profile=checkpoint.text("profile") if checkpoint.has("profile") else None,
        task="translate" if body.members.get("task") == "translate" else "transcribe",
        language_probability=_probability(body, "language_probability"),
    )
    return replace(transcript, structured=_structured(body))


def _structured(body: UntrustedObject) -> Structured | None:
    """Return the data beside the text, which any value may be; None where there is none.

    Without a `structured_finish_reason` it counts as complete, unless it is null.
    """
    if "structured" not in body.members:
        return None
    value = body.members["structured"]
    name = "structured_finish_reason"
    reason = body.text(name) if body.has(name) else "length" if value is None else "stop"
    if reason == "length":
        return Structured(None, "length")
    if reason != "stop":
        raise body.invalid(name, "is neither 'stop' nor 'length'")
    return Structured(json.dumps(value, ensure_ascii=False))


def _duration(body: UntrustedObject, timed: Sequence[Segment | Word]) -> float:
    """Return the seconds of sound; if the response has none, the end of the last word."""
    if body.has("duration") or not timed:
        duration = body.number("duration")
        if duration < 0:
            raise body.invalid("duration", "is below zero")
        return duration
    return max(0.0, *(item.end for item in timed))


def _segment(item: UntrustedObject) -> Segment:
    return Segment(
        text=item.text("text"),
        start=item.number("start"),
        end=item.number("end"),
        confidence=_probability(item, "confidence"),
        time_source=_time_source(item),
        doubt=one_line(item.text("doubt")) if item.has("doubt") else None,
        decoding=_decoding(item),
        channel=_channel(item),
    )


def _decoding(item: UntrustedObject) -> Decoding | None:
    """Return Whisper's facts where the server reports all of them."""
    names = ("avg_logprob", "compression_ratio", "no_speech_prob", "temperature")
    if not all(item.has(name) for name in names):
        return None
    return Decoding(*(item.number(name) for name in names))


def _word(item: UntrustedObject) -> Word:
    return Word(
        text=item.text("word"),
        start=item.number("start"),
        end=item.number("end"),
        confidence=_probability(item, "confidence"),
        time_source=_time_source(item),
        channel=_channel(item),
    )


def _channel(item: UntrustedObject) -> int | None:
    """Return the channel; None where the server mixed the channels, or numbers them from 0."""
    channel = item.members.get("channel")
    return channel if type(channel) is int and channel > 0 else None


def _probability(item: UntrustedObject, name: str) -> float | None:
    if not item.has(name):
        return None
    probability = item.number(name)
    if not 0 <= probability <= 1:
        raise item.invalid(name, "is not between 0 and 1")
    return probability


def _time_source(item: UntrustedObject) -> TimeSource:
    if not item.has("time_source"):
        return "recognised"
    source = _SOURCES.get(item.text("time_source"))
    if source is None:
        raise item.invalid("time_source", f"is not one of {', '.join(_SOURCES)}")
    return source


def _language(body: UntrustedObject) -> str | None:
    """Return the ISO 639 code; None for a name ("english"), which hosts of Whisper send.

    For a translation it is the language of the speech, if the server tells it.
    """
    name = "source_language" if body.members.get("task") == "translate" else "language"
    match = _LANGUAGE.fullmatch(body.text(name)) if body.has(name) else None
    return match[1].lower() if match else None


def _one_segment(text: str, words: Sequence[Word], duration: float) -> Segment:
    """Return text as one segment, from the first word to the last or over all the sound."""
    if words:
        start, end = min(word.start for word in words), max(word.end for word in words)
        return Segment(text, start, end, tuple(words))
    return Segment(text, 0.0, duration, time_source="interpolated")
