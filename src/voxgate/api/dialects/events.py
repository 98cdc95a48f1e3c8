"""Render a transcript's segments as server-sent events, in OpenAI's and in Mistral's dialect.

An event is made of parts, each at most some kilobytes, so that nobody holds hours of text for a
caller who reads slowly. The joined deltas are the text of the last event, byte for byte.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from voxgate.api.dialects.render import facts
from voxgate.api.error_responses import error_object
from voxgate.transcript.align import timed_words
from voxgate.transcript.values import JOINT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.errors import VoxgateError
    from voxgate.prices import Cost
    from voxgate.transcript.values import Segment, Transcript, Word

COMMENT = ": keep-alive\n\n"
"""What a client ignores, and what shows it and the proxies between that the server lives."""

PART_CHARACTERS = 4096  # of a text, before it is escaped: to six bytes each at most


class EventDialect(Protocol):
    """How one kind of client is told of a transcript. Every method returns the parts of events."""

    cut_after_error: bool
    """Whether the connection must break after an error, which the client takes for an end else."""

    def begin(self, language: str | None) -> Iterator[str]:
        """Return what precedes the text, whose language may be unknown."""

    def segment(self, segment: Segment, *, first: bool) -> Iterator[str]:
        """Return the next segment; `first` says that none was before it."""

    def done(self, transcript: Transcript, cost: Cost) -> Iterator[str]:
        """Return the end of a stream."""

    def error(self, error: VoxgateError) -> Iterator[str]:
        """Return the end of a stream that failed."""


def find_events(parsed: ParsedRequest) -> EventDialect:
    """Return the dialect of a request that is to be streamed."""
    return MistralEvents(parsed) if parsed.events == "mistral" else OpenAIEvents(parsed)


class OpenAIEvents:
    """OpenAI's events: `data` lines alone, the last of them `[DONE]` (openai-api.md 4)."""

    cut_after_error = False

    def __init__(self, parsed: ParsedRequest) -> None:
        self._parsed = parsed

    def begin(self, language: str | None) -> Iterator[str]:  # noqa: ARG002 (no event has it)
        """Return nothing: the language is in the last event."""
        yield from ()

    def segment(self, segment: Segment, *, first: bool) -> Iterator[str]:
        """Return `transcript.text.delta`."""
        yield 'data: {"type": "transcript.text.delta", "delta": "'
        yield from _delta(segment, first=first)
        yield '"}\n\n'

    def done(self, transcript: Transcript, cost: Cost) -> Iterator[str]:
        """Return `transcript.text.done`, and the end of the stream."""
        yield 'data: {"type": "transcript.text.done", "text": "'
        yield from _text(transcript)
        known = facts(transcript, self._parsed, cost)
        yield f'", {json.dumps(known)[1:]}\n\ndata: [DONE]\n\n'

    def error(self, error: VoxgateError) -> Iterator[str]:
        """Return the object that OpenAI's clients raise."""
        kind = "invalid_request_error" if error.status < 500 else "server_error"
        yield f"data: {json.dumps({'error': {**error_object(error), 'type': kind}})}\n\n"


class MistralEvents:
    """Mistral's events: each has its type on a line of its own (mistral-api.md 3)."""

    cut_after_error = True

    def __init__(self, parsed: ParsedRequest) -> None:
        self._parsed = parsed

    def begin(self, language: str | None) -> Iterator[str]:
        """Return `transcription.language`, where it is known: that of the text."""
        told = "en" if self._parsed.options.task == "translate" else language
        if told is not None:
            yield _event("transcription.language", audio_language=told)

    def segment(self, segment: Segment, *, first: bool) -> Iterator[str]:
        """Return `transcription.text.delta` and, with times, `transcription.segment`."""
        yield _opening("transcription.text.delta") + '"text": "'
        yield from _delta(segment, first=first)
        yield '"}\n\n'
        for timed in self._timed(segment):
            yield _event("transcription.segment", **_timed_text(timed, segment))

    def done(self, transcript: Transcript, cost: Cost) -> Iterator[str]:
        """Return `transcription.done`, with the segments again where there are times."""
        yield _opening("transcription.done") + '"text": "'
        yield from _text(transcript)
        yield '", "segments": ['
        joint = ""
        for segment in transcript.segments:
            for timed in self._timed(segment):
                fields = {"type": "transcription_segment", **_timed_text(timed, segment)}
                yield joint + json.dumps(fields)
                joint = ", "
        # Its clients require the key.
        known = {"language": None, **facts(transcript, self._parsed, cost)}
        yield f"], {json.dumps(known)[1:]}\n\n"

    def error(self, error: VoxgateError) -> Iterator[str]:
        """Return an event of the realtime dialect's shape: this one has none for errors."""
        yield _event("error", error=error_object(error))

    def _timed(self, segment: Segment) -> tuple[Segment | Word, ...]:
        """Return what has times in the events: segments, or words, where they were asked for."""
        if not self._parsed.times:
            return ()
        return timed_words(segment) if self._parsed.words else (segment,)


def _event(type_: str, **fields: Any) -> str:
    return f"{_opening(type_)}{json.dumps(fields)[1:]}\n\n"


def _opening(type_: str) -> str:
    return f'event: {type_}\ndata: {{"type": "{type_}", '


def _timed_text(timed: Segment | Word, segment: Segment) -> dict[str, Any]:
    """Return a segment, or a word of it, with what is known of it: its clients keep more keys."""
    return {
        "text": timed.text,
        "start": round(timed.start, 3),
        "end": round(timed.end, 3),
        "time_source": timed.time_source,
        **({} if timed.confidence is None else {"confidence": timed.confidence}),
        **({} if timed.channel is None else {"channel": timed.channel}),
        **({"doubtful": True, "doubt": segment.doubt} if segment.doubt else {}),
    }


def _text(transcript: Transcript) -> Iterator[str]:
    """Return the whole text, escaped, in parts."""
    for place, segment in enumerate(transcript.segments):
        yield from _delta(segment, first=not place)


def _delta(segment: Segment, *, first: bool) -> Iterator[str]:
    """Return what a segment adds to the text, escaped, in parts."""
    added = segment.text if first else JOINT + segment.text
    for start in range(0, len(added), PART_CHARACTERS):
        yield json.dumps(added[start : start + PART_CHARACTERS])[1:-1]
