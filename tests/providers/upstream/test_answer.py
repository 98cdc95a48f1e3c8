"""Times that an upstream made up: they are clipped, sorted or left out, and no text is lost."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.failures import raises
from voxgate.providers.upstream.answer import FEW, MOST_PER_S, UNKNOWN, UpstreamAnswer, fit
from voxgate.providers.upstream.model import is_same_model
from voxgate.transcript.values import Segment, Word

LONG_S = 10.0
ANY_TIME = st.floats() | st.floats(-1, LONG_S + 1)
TEXTS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
WORDS = st.builds(Word, TEXTS, ANY_TIME, ANY_TIME)
SEGMENTS = st.builds(Segment, TEXTS, ANY_TIME, ANY_TIME)


@given(st.lists(SEGMENTS, max_size=6), st.lists(WORDS, max_size=6))
def test_any_times_become_times_of_the_window(segments: list[Segment], words: list[Word]) -> None:
    text = " ".join(segment.text for segment in segments) or "a text"
    fitted, _ = fit(UpstreamAnswer(text, tuple(segments), tuple(words)), "somewhere", LONG_S)
    letters = "".join(segment.text for segment in fitted).replace(" ", "")
    assert sorted(letters) == sorted(text.replace(" ", ""))
    last = 0.0
    for segment in fitted:
        assert last <= segment.start <= segment.end <= LONG_S
        last = segment.end
        at = segment.start
        for word in segment.words:
            assert at <= word.start <= word.end <= segment.end
            at = word.end


def test_words_find_their_segments() -> None:
    segments = (Segment(" One two.", 0.0, 2.0), Segment(" Three.", 3.0, 4.0))
    words = (Word("One", 0.1, 0.5), Word("two", 0.6, 1.9), Word("Three", 3.0, 3.5))
    fitted, notices = fit(UpstreamAnswer("One two. Three.", segments, words), "somewhere", LONG_S)
    assert [(s.text, [w.text for w in s.words]) for s in fitted] == [
        ("One two.", ["One", "two"]),
        ("Three.", ["Three"]),
    ]
    assert notices == []


def test_order_is_that_of_times() -> None:
    segments = (Segment("second", 5.0, 6.0), Segment("first", 1.0, 2.0))
    words = (Word("second", 5.0, 6.0), Word("first", 1.0, 2.0))
    fitted, _ = fit(UpstreamAnswer("", segments, words), "somewhere", LONG_S)
    assert [(s.text, s.start, s.words[0].text) for s in fitted] == [
        ("first", 1.0, "first"),
        ("second", 5.0, "second"),
    ]


@pytest.mark.parametrize(("start", "end"), [(-9.0, -8.0), (12.0, 13.0), (1e300, 1e301)])
def test_what_is_outside_keeps_its_text_and_is_named(start: float, end: float) -> None:
    """Its words' times say nothing, so they are found anew."""
    inside, outside = Segment("here", 0.0, LONG_S / 2), Segment("there", start, end)
    words = (Word("here", 0.1, 0.2), Word("there", start, end))
    fitted, notices = fit(UpstreamAnswer("", (inside, outside), words), "somewhere", LONG_S)
    assert sorted(segment.text for segment in fitted) == ["here", "there"]
    assert [word.text for segment in fitted for word in segment.words] == ["here"]
    assert [notice.code for notice in notices] == ["clipped_times"]


def test_the_end_of_whisper_s_own_window_is_not_worth_a_notice() -> None:
    """Whisper hears 30 seconds, whatever it is given."""
    fitted, notices = fit(UpstreamAnswer("", (Segment("a", 0.0, 30.0),)), "somewhere", LONG_S)
    assert (fitted[0].end, notices) == (LONG_S, [])


@pytest.mark.parametrize("time", [UNKNOWN, math.inf, -math.inf])
def test_segments_without_times_are_one_text(time: float) -> None:
    segments = (Segment(" One.", 0.0, 1.0), Segment(" Two.", time, 2.0))
    fitted, _ = fit(UpstreamAnswer("", segments), "somewhere", LONG_S)
    assert [(s.text, s.start, s.end, s.time_source) for s in fitted] == [
        ("One. Two.", 0.0, LONG_S, "interpolated")
    ]


def test_words_without_segments_are_one_segment_of_their_times() -> None:
    words = (Word("Two", 2.0, 3.0), Word("One", 1.0, 1.5), Word("x", UNKNOWN, UNKNOWN))
    fitted, _ = fit(UpstreamAnswer("One two.", (), words, confidence=0.5), "somewhere", LONG_S)
    (segment,) = fitted
    assert (segment.text, segment.start, segment.end) == ("One two.", 1.0, 3.0)
    assert [word.text for word in segment.words] == ["One", "Two"]
    assert (segment.confidence, segment.time_source) == (0.5, "recognised")


def test_a_terminal_has_nothing_to_obey() -> None:
    segments = (Segment(" a\x1b[31m\nb", 0.0, 1.0),)
    words = (Word("a\x07", 0.1, 0.2),)
    fitted, _ = fit(UpstreamAnswer("", segments, words), "somewhere", LONG_S)
    assert (fitted[0].text, fitted[0].words[0].text) == ("a [31m b", "a")
    assert fit(UpstreamAnswer("a\r\nb\x00"), "somewhere", LONG_S)[0][0].text == "a b"


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_text_is_no_segment(text: str) -> None:
    assert fit(UpstreamAnswer(text), "somewhere", LONG_S) == ([], [])


def test_more_words_than_anybody_says_are_an_error() -> None:
    most = int(FEW + MOST_PER_S * LONG_S)
    for parts in (most, most + 1):
        words = tuple(Word("a", 1.0, 1.0) for _ in range(parts))
        if parts == most:
            fit(UpstreamAnswer("a", (), words), "somewhere", LONG_S)
        else:
            with raises("upstream_failed", match=r"somewhere found 601 words in 10\.0 s of sound"):
                fit(UpstreamAnswer("a", (), words), "somewhere", LONG_S)
    with raises("upstream_failed", match="found 10,000 segments"):
        fit(UpstreamAnswer("a", (Segment("a", 0.0, 1.0),) * 10_000), "somewhere", LONG_S)


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("english", "en"),
        ("en", "en"),
        ("EN-us", "en"),
        ("Haitian Creole", "ht"),
        ("cantonese", "yue"),
        ("auto", None),
        ("", None),
        (None, None),
        ("no language at all", None),
        ("x" * 10_000, None),
        ("\x1b[31m", None),
    ],
)
def test_a_language_is_named_or_coded(named: str | None, code: str | None) -> None:
    assert UpstreamAnswer("", language=named).language_code == code


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("whisper-large-v3", "whisper-large-v3", True),
        ("openai/whisper-large-v3", "Whisper-Large-v3", True),
        ("whisper-large-v3", "openai/whisper-large-v3", True),
        ("voxtral-mini-latest", "voxtral-mini-2602", True),
        ("voxtral-mini-transcribe-3", "voxtral-mini-transcribe-3-0", True),
        ("gpt-4o-transcribe", "gpt-4o-transcribe-2025-12-15", True),
        ("whisper-large-v3", "whisper-large-v3-turbo", False),
        ("whisper-large-v3", "whisper-large", False),
        ("voxtral-mini-latest", "voxtral-small-2507", False),
        ("whisper-1", "tiny", False),
    ],
)
def test_the_model_that_answers_is_the_one_that_was_asked(
    asked: str, answered: str, same: bool
) -> None:
    assert is_same_model(asked, answered) == same
