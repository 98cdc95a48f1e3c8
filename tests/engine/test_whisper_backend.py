"""Whisper in an engine: windows of sound in, segments with timed words out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.engine.material import SECOND, VOICE_NOTE_WORDS, noise, voice_note
from tests.whisper.weights import whisper_folder
from voxgate.engine.queue import WindowRequest
from voxgate.engine.whisper_backend import WhisperBackend, load_whisper
from voxgate.errors import UsageError
from voxgate.models.catalogue import find_model
from voxgate.transcript.values import Done, Event, Options, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence


@cache
def backend() -> WhisperBackend:
    return load_whisper(find_model(str(whisper_folder())))


def recognised(*windows: bytes, options: Options | None = None) -> list[list[Event]]:
    """Return the events of windows that are recognised in one group."""
    requests = [
        WindowRequest(pcm16, options or Options(), lambda _: None, lambda _: None)
        for pcm16 in windows
    ]
    events: list[list[Event]] = [[] for _ in requests]
    for found in backend().recognise(requests):
        if found is not None:
            events[requests.index(found[0])].append(found[1])
    return events


def segments(events: Sequence[Event]) -> list[Segment]:
    return [event for event in events if isinstance(event, Segment)]


def text(events: Sequence[Event]) -> str:
    return " ".join(segment.text for segment in segments(events))


def done(events: Sequence[Event]) -> Done:
    assert isinstance(events[-1], Done)
    return events[-1]


def test_words_with_capitals_and_punctuation() -> None:
    (events,) = recognised(voice_note())
    assert VOICE_NOTE_WORDS in text(events)
    assert "I am running late because the train stopped outside the city." in text(events)
    assert done(events).language == "en"
    assert done(events).tokens > 20


def test_words_are_in_order_and_within_their_segments() -> None:
    (events,) = recognised(voice_note())
    words = [word for segment in segments(events) for word in segment.words]
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= len(voice_note()) / SECOND
    for segment in segments(events):
        assert segment.text == " ".join(word.text for word in segment.words)
        assert (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)
    assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in words)


def test_windows_in_one_group_say_what_each_says_alone() -> None:
    windows = [voice_note(), bytes(SECOND), voice_note()[: 5 * SECOND], noise(3)]
    together = [text(events) for events in recognised(*windows)]
    assert together == [text(recognised(window)[0]) for window in windows]


@pytest.mark.parametrize("seconds", [0, 0.0001, 0.02, 0.1, 1, 30])
def test_silence_has_no_words(seconds: float) -> None:
    (events,) = recognised(bytes(int(seconds * 16_000) * 2))
    assert segments(events) == []


@pytest.mark.parametrize("samples", [1, 100, 400, 800])
def test_a_window_of_a_few_samples_is_answered(samples: int) -> None:
    (events,) = recognised(noise(1)[: samples * 2])
    done(events)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(UsageError, match="3 bytes"):
        recognised(b"abc")


def test_the_text_is_limited_to_the_tokens_that_are_left() -> None:
    (events,) = recognised(voice_note(), options=Options(max_tokens=4))
    assert done(events).tokens == 4
    assert len(text(events).split()) <= 4


def test_a_chosen_language_is_used() -> None:
    (events,) = recognised(voice_note(), options=Options(language="de"))
    assert done(events).language == "de"


def test_vocabulary_that_does_not_fit_is_reported() -> None:
    words = tuple(f"word{number}" for number in range(10_000))
    (events,) = recognised(voice_note(), options=Options(vocabulary=words))
    (notice,) = done(events).notices
    assert notice.code == "vocabulary_too_long"
    assert "of 10000 vocabulary words were used" in notice.sentence


def test_vocabulary_decides_between_spellings() -> None:
    (events,) = recognised(voice_note(), options=Options(vocabulary=("Trayne",)))
    assert done(events).notices == ()
    assert "stopped outside the city" in text(events)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 2.0])
def test_any_temperature_is_answered(temperature: float) -> None:
    (events,) = recognised(voice_note(), options=Options(temperature=temperature))
    assert done(events).tokens > 0
