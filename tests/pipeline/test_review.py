"""Speech without words, which is recognised once more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.scripted import Scripted
from voxgate.audio.vad import SpeechRegion
from voxgate.audio.windows import Window
from voxgate.pipeline.loops import trusted
from voxgate.pipeline.review import (
    holes,
    untranscribed_notice,
    without_repeats,
)
from voxgate.pipeline.route import SharedProvider
from voxgate.pipeline.window import RecognisedWindow
from voxgate.transcript.values import Notice, Segment, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.pipeline.review import Placed

RATE = 16_000

HERE = SharedProvider.of(Scripted())


def seconds(*spans: tuple[float, float]) -> tuple[SpeechRegion, ...]:
    return tuple(SpeechRegion(round(a * RATE), round(b * RATE)) for a, b in spans)


def placed(
    regions: Sequence[tuple[float, float]] = ((0, 30),),
    words: Sequence[tuple[float, float]] = ((0, 30),),
    *,
    language: str | None = "en",
    probability: float | None = 0.99,
    confidence: float = 0.9,
    notices: tuple[Notice, ...] = (),
) -> Placed:
    """Return a window of 30 s with these regions and words, in seconds of the recording."""
    window = Window(0, 0, 30 * RATE, seconds(*regions))
    timed = tuple(Word("word", start, end) for start, end in words)
    segments = (Segment("word", 0, 30, timed, confidence),) if timed else ()
    return RecognisedWindow(window, HERE, segments, language, probability, notices, 0), segments


@pytest.mark.parametrize(
    ("regions", "words", "found"),
    [
        ([(0, 30)], [(0, 15), (15, 30)], []),
        ([(0, 10), (12, 20)], [(1, 9.6)], [(12, 20)]),
        ([(0, 30)], [(0, 10), (18, 30)], [(10, 18)]),
        ([(0, 30)], [(0, 10), (11, 30)], []),  # a hesitation
        ([(0, 3), (10, 11)], [(0, 3)], []),  # short: a cough
        ([(0, 3), (10, 11), (12, 13)], [(0, 3)], [(10, 13)]),
        ([(2, 9)], [], [(2, 9)]),
        ([(0, 3)], [(20, 21)], [(0, 3)]),
    ],
)
def test_speech_without_a_word_is_a_hole(
    regions: list[tuple[float, float]],
    words: list[tuple[float, float]],
    found: list[tuple[float, float]],
) -> None:
    windows = [each.window for each in holes(placed(regions, words), "word", None)]
    assert [(window.start_s, window.end_s) for window in windows] == found
    assert all(window.regions for window in windows)


def test_a_model_without_times_has_holes_only_where_it_is_silent() -> None:
    assert holes(placed([(0, 30)], [(0, 1)]), "none", None) == []
    assert len(holes(placed([(0, 30)], []), "none", None)) == 1


def test_the_language_of_a_short_hole_is_that_around_it() -> None:
    regions = [(0, 10), (12, 15), (20, 27)]
    spoken, silent = placed(regions, [(0, 10), (16, 17)]), placed([(0, 3)], [], language="nn")
    assert [hole.language for hole in holes(spoken, "word", "de")] == ["en", None]
    assert [hole.language for hole in holes(silent, "word", "de")] == ["de"]
    assert [hole.language for hole in holes(silent, "word", None)] == [None]


def test_a_text_that_the_model_doubts_fills_no_hole() -> None:
    assert trusted(placed())
    assert not trusted(placed(words=()))
    assert not trusted(placed(notices=(Notice("doubtful_text", "It repeats itself."),)))
    recognised, (segment,) = placed()
    assert not trusted((recognised, (replace(segment, doubt="is unlikely"),)))
    assert not trusted((recognised, (replace(segment, text="thank you " * 8),)))


def said(start_s: float, *words: tuple[str, float]) -> Placed:
    """Return a window of 2 s from `start_s`, with these words and when each begins."""
    window = Window(0, round(start_s * RATE), round((start_s + 2) * RATE), ())
    timed = tuple(Word(text, at, at + 0.2) for text, at in words)
    text = " ".join(word.text for word in timed)
    segments = (Segment(text, timed[0].start, timed[-1].end, timed),)
    return RecognisedWindow(window, HERE, segments, "en", None, (), 0), segments


def test_the_words_beside_a_hole_are_not_said_twice() -> None:
    around = said(0, ("72", 0.5), ("73", 1.0), ("75", 3.9), ("76", 4.2))
    _, (segment,) = without_repeats(said(2, ("73,", 2.0), ("74,", 2.5), ("75.", 3.5)), around)
    assert (segment.text, segment.start, segment.end) == ("74,", 2.5, 2.7)
    _, (segment,) = without_repeats(said(2, ("74", 2.5), ("one", 3.5)), around)
    assert segment.text == "74 one"
    assert without_repeats(said(2, ("75", 2.5)), around)[1] == ()


def test_the_notice_names_the_first_places() -> None:
    windows = [Window(0, at * RATE, (at + 2) * RATE, ()) for at in range(59, 359, 50)]
    sentence = untranscribed_notice(windows).sentence
    assert "0:59.0 to 1:01.0, 1:49.0 to" in sentence
    assert "and 1 more times" in sentence
