from __future__ import annotations

from dataclasses import replace
from itertools import combinations, combinations_with_replacement, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transcript.strategies import patient, texts
from voxgate.transcript.align import (
    DRIFT_COST,
    SENTENCE_WORDS,
    WORD_CHARACTERS,
    align_to_regions,
    divide_text,
    timed_words,
)
from voxgate.transcript.text import one_line, units
from voxgate.transcript.values import Segment

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from voxgate.transcript.spans import Span

words = st.lists(st.sampled_from(["A", "To", "One,", "Four", "Seven.", "Elephants"]), min_size=1)
stretches = st.lists(st.floats(0.1, 9.0), min_size=1, max_size=5)


@st.composite
def regions(draw: DrawFn) -> list[Span]:
    """Speech with pauses, some of them so short that the paddings touch."""
    found: list[Span] = []
    now = draw(st.floats(0, 100))
    for _ in range(draw(st.integers(1, 12))):
        start = now + draw(st.sampled_from([0.0, 0.1, 2.9]))
        now = start + draw(st.floats(0.05, 12))
        found.append((start, now))
    return found


def whole(text: str, start: float = 0.0, end: float = 30.0) -> Segment:
    return Segment(text, start, end, confidence=0.75, time_source="speech_region")


def spoken(text: str, start: float, end: float) -> Segment:
    part = whole(text, start, end)
    return replace(part, words=timed_words(part))


def test_each_region_gets_its_share_of_the_text() -> None:
    assert align_to_regions(whole("one two three four"), [(1.0, 3.4), (5.0, 7.4)], 0.2) == (
        spoken("one two", 1.0, 3.4),
        spoken("three four", 5.0, 7.4),
    )


def test_a_sentence_ends_at_a_pause_rather_than_near_it() -> None:
    """Words as said by John F. Kennedy in 1961, speech as the detector found it."""
    text = (
        "And so, my fellow Americans, ask not what your country can do for you, ask what you can do"
    )
    speech = [(0.15, 2.44), (3.10, 4.58), (5.21, 7.85), (7.99, 9.9)]
    assert [segment.text for segment in align_to_regions(whole(text), speech, 0.2)] == [
        "And so, my fellow Americans,",
        *("ask not what", "your country can do for you,", "ask what you can do"),
    ]
    assert divide_text(["one", "two", "three.", "Four"], [1.0, 1.0]) == [3, 4]
    assert divide_text(["one", "two", "three", "Four"], [1.0, 1.0]) == [2, 4]


def test_a_script_without_spaces_is_divided_where_lines_may_break() -> None:
    parts = align_to_regions(whole("你好。今天我们讨论"), [(0.0, 1.4), (2.0, 4.4)], 0.2)
    assert [part.text for part in parts] == ["你好。", "今天我们讨论"]


def test_with_fewer_words_than_regions_some_get_none() -> None:
    parts = align_to_regions(whole("hello you"), [(0.0, 0.5), (1.0, 3.0), (4.0, 6.0)], 0.2)
    assert parts == (spoken("hello", 1.0, 3.0), spoken("you", 4.0, 6.0))


def test_equal_words_do_not_run_ahead_of_equal_speech() -> None:
    ends = divide_text(["word"] * 14, [1.0] * 10)
    assert all(abs(end - 1.4 * number) < 1 for number, end in enumerate(ends, 1))


@pytest.mark.parametrize("text", ["", " \n"])
def test_without_words_or_regions_there_is_nothing_to_divide(text: str) -> None:
    assert align_to_regions(whole(text), [(0.0, 1.0)], 0.2) == (whole(text),)
    assert align_to_regions(whole("one"), [], 0.2) == (whole("one"),)


@given(texts, regions())
@patient
def test_no_word_is_lost_and_each_lies_in_its_region(text: str, found: list[Span]) -> None:
    parts = align_to_regions(whole(text, found[0][0], found[-1][1]), found, 0.2)
    count = len(units(text))
    if count:
        assert len(parts) == len(found) if count >= len(found) else len(parts) <= count
        assert "".join(part.text for part in parts).replace(" ", "") == one_line(text).replace(
            " ", ""
        )
    spans = iter(found)
    for part in parts if count else ():
        assert (part.start, part.end) in spans  # in order, each once
        assert (part.confidence, part.time_source) == (0.75, "speech_region")
        assert [word.text for word in part.words] == units(part.text)
        for word in part.words:
            assert part.start <= word.start <= word.end <= part.end
            assert word.time_source == "interpolated"


@given(words.filter(lambda said: len(said) <= 9), stretches)
@patient
def test_no_division_is_cheaper(said: list[str], speech: list[float]) -> None:
    found = divide_text(said, speech)
    assert (
        cost(said, speech, found)
        <= min(cost(said, speech, ends) for ends in every(len(said), len(speech))) + 1e-9
    )


def test_ten_minutes_are_no_burden() -> None:
    said, speech = ["word", "and", "another."] * 700, [1.0, 2.5] * 150
    ends = divide_text(said, speech)
    assert ends == sorted(ends)
    assert (len(set(ends)), ends[-1]) == (300, 2100)


def every(count: int, parts: int) -> list[list[int]]:
    """All divisions of so many words; no part empty where there are enough."""
    if count >= parts:
        return [[*cuts, count] for cuts in combinations(range(1, count), parts - 1)]
    return [[*cuts, count] for cuts in combinations_with_replacement(range(count + 1), parts - 1)]


def cost(said: list[str], speech: list[float], ends: list[int]) -> float:
    """What the division is meant to minimise, said plainly."""
    weights = [len(word) + WORD_CHARACTERS for word in said]
    worth = min(SENTENCE_WORDS, len(said) / len(speech) / 2) / len(said)
    ahead = total = 0.0
    for (first, last), stretch in zip(pairwise([0, *ends]), speech, strict=True):
        misfit = stretch / sum(speech) - sum(weights[first:last]) / sum(weights)
        ahead += misfit
        total += misfit**2 + DRIFT_COST * ahead**2
        if 0 < last < len(said):
            between = {".": 0.0, ",": 0.5}.get(said[last - 1][-1], 1.0)
            total += between * 2 * worth**2
    return total
