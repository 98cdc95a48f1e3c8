"""What Whisper base hears in windows of sound, by an engine's backend that is loaded once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.whisper.weights import whisper_folder
from voxgate.engine.queue import WindowRequest
from voxgate.engine.whisper_backend import WhisperBackend, load_whisper
from voxgate.models.catalogue import find_model
from voxgate.transcript.values import Done, Event, Options, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence


@cache
def backend() -> WhisperBackend:
    return load_whisper(find_model(str(whisper_folder())))


def recognised(
    *windows: bytes, options: Options | Sequence[Options] | None = None
) -> list[list[Event]]:
    """Return the events of windows that are recognised in a group, with options of all or each."""
    asked = requests(*windows, options=options)
    events: list[list[Event]] = [[] for _ in asked]
    for found in backend().recognise(asked):
        if found is not None:
            events[asked.index(found[0])].append(found[1])
    return events


def requests(
    *windows: bytes, options: Options | Sequence[Options] | None = None
) -> list[WindowRequest]:
    if options is None or isinstance(options, Options):
        options = [options or Options()] * len(windows)
    return [
        WindowRequest(pcm16, each, lambda _: None, lambda _: None)
        for pcm16, each in zip(windows, options, strict=True)
    ]


def segments(events: Sequence[Event]) -> list[Segment]:
    return [event for event in events if isinstance(event, Segment)]


def text(events: Sequence[Event]) -> str:
    return " ".join(segment.text for segment in segments(events))


def done(events: Sequence[Event]) -> Done:
    assert isinstance(events[-1], Done)
    return events[-1]
