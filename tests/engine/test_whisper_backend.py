"""Whisper in an engine: windows of sound in, segments with timed words out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.material import (
    SECOND,
    VOICE_NOTE_WORDS,
    foreign_recording,
    noise,
    voice_note,
)
from tests.whisper.hearing import backend, done, recognised, requests, segments, text
from voxgate.engine.queue import WindowRequest
from voxgate.errors import UsageError
from voxgate.models.catalogue import BUILT_IN_MODELS, DEFAULT_MODEL
from voxgate.models.footprint import memory_by_profile
from voxgate.transcript.values import Done, Event, Options, Progress, Segment

ROOT = Path(__file__).parents[2]


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


def test_a_window_is_done_when_its_text_is_while_others_are_decoded() -> None:
    options = [Options(beam_size=1), Options(beam_size=2)]  # one call of the model for each
    first, second = requests(voice_note(), voice_note(), options=options)
    calls = list(backend().recognise([first, second]))
    whole = Progress(len(voice_note()) / SECOND)
    ended = calls.index((first, whole))
    assert calls.index((second, whole)) > calls.index(None, ended)


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


@pytest.mark.parametrize("most", [1, 4, 10, 30])
@pytest.mark.parametrize("prompt", ["", "A talk about a city. " * 10], ids=["alone", "prompt"])
def test_the_text_has_all_the_tokens_that_are_left(most: int, prompt: str) -> None:
    (events,) = recognised(voice_note(), options=Options(max_tokens=most, prompt=prompt))
    assert done(events).tokens == most
    assert len(text(events).split()) <= most


def test_a_chosen_language_is_used() -> None:
    (events,) = recognised(voice_note(), options=Options(language="de"))
    assert done(events).language == "de"


def test_vocabulary_that_does_not_fit_is_reported() -> None:
    words = tuple(f"word{number}" for number in range(10_000))
    (events,) = recognised(voice_note(), options=Options(vocabulary=words))
    # A text that the processor's arithmetic makes doubtful has a notice of its own.
    (notice,) = (each for each in done(events).notices if each.code == "vocabulary_too_long")
    assert "of 10000 vocabulary words were used" in notice.sentence


def test_vocabulary_decides_between_spellings() -> None:
    (events,) = recognised(voice_note(), options=Options(vocabulary=("Trayne",)))
    assert done(events).notices == ()
    assert "stopped outside the city" in text(events)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 2.0])
def test_any_temperature_is_answered(temperature: float) -> None:
    (events,) = recognised(voice_note(), options=Options(temperature=temperature))
    assert done(events).tokens > 0


def test_the_detected_language_comes_with_its_probability() -> None:
    (events,) = recognised(voice_note())
    probability = done(events).language_probability
    assert probability is not None
    assert 0.5 < probability <= 1
    (events,) = recognised(voice_note(), options=Options(language="en"))
    assert done(events).language_probability is None


def test_a_segment_says_how_it_was_decoded() -> None:
    (events,) = recognised(voice_note())
    for segment in segments(events):
        assert segment.decoding is not None
        assert -1 < segment.decoding.log_probability < 0
        assert 1 < segment.decoding.compression_ratio < 2.4
        assert 0 <= segment.decoding.no_speech_probability < 0.6
        assert segment.decoding.temperature == 0
        assert segment.doubt is None


@pytest.mark.parametrize("beam_size", [1, 10])
def test_any_beam_size_finds_the_words(beam_size: int) -> None:
    (events,) = recognised(voice_note(), options=Options(beam_size=beam_size))
    assert VOICE_NOTE_WORDS in text(events).lower()


def test_windows_of_different_options_in_one_group() -> None:
    asked = [Options(beam_size=1), Options(prompt="Hello."), Options(max_tokens=4), Options()]
    together = recognised(*[voice_note()] * len(asked), options=asked)
    alone = [recognised(voice_note(), options=options)[0] for options in asked]
    assert list(map(text, together)) == list(map(text, alone))


def test_a_prompt_decides_about_the_style() -> None:
    plain = "so this is how i write no capitals and no marks and so it goes on " * 5
    (events,) = recognised(voice_note(), options=Options(prompt=plain))
    assert VOICE_NOTE_WORDS in text(events)
    assert done(events).notices == ()


def test_the_end_of_a_long_prompt_is_used_and_that_is_said() -> None:
    prompt = "Well, hello. " * 5_000  # which is also repeated instead of what is said
    (events,) = recognised(voice_note(), options=Options(prompt=prompt))
    assert VOICE_NOTE_WORDS in text(events).lower()
    assert [notice.code for notice in done(events).notices] == ["prompt_too_long"]


@pytest.mark.parametrize(
    ("recording", "language", "words"),
    [("de_read_leopard", "de", "room"), ("es_read_leopard", "es", "sand")],
)
def test_other_languages_are_translated_into_english(
    recording: str, language: str, words: str
) -> None:
    sound = foreign_recording(recording)
    (events,) = recognised(sound, options=Options(task="translate"))
    assert words in text(events).lower()
    assert done(events).language == language
    times = [time for segment in segments(events) for time in (segment.start, segment.end)]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= len(sound) / SECOND


def test_a_translation_has_times_of_segments_but_not_of_words() -> None:
    (events,) = recognised(voice_note(), options=Options(task="translate"))
    assert VOICE_NOTE_WORDS in text(events).lower()
    assert not any(segment.words for segment in segments(events))
    said = segments(recognised(voice_note())[0])
    # One segment may be two of what is said: that depends on the processor's arithmetic.
    for translated in segments(events):
        assert any(translated.start == pytest.approx(each.start, abs=0.3) for each in said)
        assert any(translated.end == pytest.approx(each.end, abs=0.3) for each in said)
    assert segments(events)[0].start == pytest.approx(said[0].start, abs=0.3)
    assert segments(events)[-1].end == pytest.approx(said[-1].end, abs=0.3)


def test_texts_are_aligned_in_one_group_with_windows_to_recognise() -> None:
    said = "I am running late because the train stopped outside the city."
    requests = [
        WindowRequest(voice_note(), Options(language), lambda _: None, lambda _: None, text=given)
        for given, language in ((said, "en"), (None, None), (said, None), ("", None), (" ?", "en"))
    ]
    events: list[list[Event]] = [[] for _ in requests]
    for found in backend().recognise(requests):
        if found is not None:
            events[requests.index(found[0])].append(found[1])
    assert VOICE_NOTE_WORDS in text(events[1]).lower()
    assert {word.time_source for each in segments(events[1]) for word in each.words} == {
        "recognised"
    }
    for aligned in (events[0], events[2]):
        assert text(aligned) == said
        assert {word.time_source for each in segments(aligned) for word in each.words} == {
            "aligned"
        }
        assert done(aligned).language == "en"
    assert not segments(events[3])
    assert not segments(events[4])


def test_a_text_for_silence_or_for_no_sound_is_no_error() -> None:
    for sound, count in ((bytes(SECOND), 1), (b"", 0)):
        request = WindowRequest(sound, Options("en"), print, print, text="hello there")
        sent = [each[1] for each in backend().recognise([request]) if each]
        found = [event for event in sent if not isinstance(event, Progress)]
        assert len(found) == count + 1
        assert isinstance(found[-1], Done)
        for segment in found[:-1]:
            assert isinstance(segment, Segment)
            assert segment.time_source == "interpolated"


def test_windows_that_are_sampled_take_no_more_memory_than_the_engine_is_granted() -> None:
    # The kernel's peak of this process alone: `ru_maxrss` begins with that of the parent.
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from pathlib import Path\n"
        "from tests.engine.material import voice_note\n"
        "from tests.whisper.hearing import backend, recognised\n"
        "from voxgate.transcript.values import Options\n"
        "backend()  # once, for both calls\n"
        "sound = (voice_note() * 3)[:960_000]\n"
        "call = lambda _: recognised(sound, sound, options=[Options(temperature=0.8)] * 2)\n"
        "with ThreadPoolExecutor(2) as pool: list(pool.map(call, range(2)))\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(int(status.split('VmHWM:')[1].split()[0]) * 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (granted,) = memory_by_profile(BUILT_IN_MODELS[DEFAULT_MODEL]).values()
    assert int(done.stdout) <= granted
