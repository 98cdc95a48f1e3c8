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
    """Regions of speech with pauses, some of them so short that the paddings touch."""
    found: list[Span] = []
    now = draw(st.floats(0, 100))
    for _ in range(draw(st.integers(1, 12))):
        start = now + draw(st.sampled_from([0.0, 0.1, 2.9]))
        now = start + draw(st.floats(0.05, 12))
        found.append((start, now))
    return found


def segment_of(text: str, start: float = 0.0, end: float = 30.0) -> Segment:
    return Segment(text, start, end, confidence=0.75, time_source="speech_region")


def aligned_part(text: str, start: float, end: float) -> Segment:
    part = segment_of(text, start, end)
    return replace(part, words=timed_words(part))


def test_each_region_gets_its_share_of_the_text() -> None:
    assert align_to_regions(segment_of("one two three four"), [(1.0, 3.4), (5.0, 7.4)], 0.2) == (
        aligned_part("one two", 1.0, 3.4),
        aligned_part("three four", 5.0, 7.4),
    )


def test_a_sentence_ends_at_a_pause_rather_than_near_it() -> None:
    """The words are John F. Kennedy's of 1961. The regions are those that the detector found."""
    text = (
        "And so, my fellow Americans, ask not what your country can do for you, ask what you can do"
    )
    speech = [(0.15, 2.44), (3.10, 4.58), (5.21, 7.85), (7.99, 9.9)]
    assert [segment.text for segment in align_to_regions(segment_of(text), speech, 0.2)] == [
        "And so, my fellow Americans,",
        *("ask not what", "your country can do for you,", "ask what you can do"),
    ]
    assert divide_text(["one", "two", "three.", "Four"], [1.0, 1.0]) == [3, 4]
    assert divide_text(["one", "two", "three", "Four"], [1.0, 1.0]) == [2, 4]


def test_a_script_without_spaces_is_divided_where_lines_may_break() -> None:
    parts = align_to_regions(segment_of("你好。今天我们讨论"), [(0.0, 1.4), (2.0, 4.4)], 0.2)
    assert [part.text for part in parts] == ["你好。", "今天我们讨论"]


def test_with_fewer_words_than_regions_some_regions_are_left_out() -> None:
    parts = align_to_regions(segment_of("hello you"), [(0.0, 0.5), (1.0, 3.0), (4.0, 6.0)], 0.2)
    assert parts == (aligned_part("hello", 1.0, 3.0), aligned_part("you", 4.0, 6.0))


def test_equal_words_do_not_run_ahead_of_equal_speech() -> None:
    ends = divide_text(["word"] * 14, [1.0] * 10)
    assert all(abs(end - 1.4 * number) < 1 for number, end in enumerate(ends, 1))


@pytest.mark.parametrize("text", ["", " \n"])
def test_without_words_or_regions_the_segment_is_not_divided(text: str) -> None:
    assert align_to_regions(segment_of(text), [(0.0, 1.0)], 0.2) == (segment_of(text),)
    assert align_to_regions(segment_of("one"), [], 0.2) == (segment_of("one"),)


@given(texts, regions())
@patient
def test_no_word_is_lost_and_each_word_is_inside_its_region(text: str, found: list[Span]) -> None:
    parts = align_to_regions(segment_of(text, found[0][0], found[-1][1]), found, 0.2)
    count = len(units(text))
    if count:
        assert len(parts) == len(found) if count >= len(found) else len(parts) <= count
        assert "".join(part.text for part in parts).replace(" ", "") == one_line(text).replace(
            " ", ""
        )
    remaining = iter(found)
    for part in parts if count else ():
        assert (part.start, part.end) in remaining  # in order, each once
        assert (part.confidence, part.time_source) == (0.75, "speech_region")
        assert [word.text for word in part.words] == units(part.text)
        for word in part.words:
            assert part.start <= word.start <= word.end <= part.end
            assert word.time_source == "interpolated"


@given(words.filter(lambda texts: len(texts) <= 9), stretches)
@patient
def test_no_division_is_cheaper(spoken_words: list[str], speech: list[float]) -> None:
    found = divide_text(spoken_words, speech)
    assert (
        division_cost(spoken_words, speech, found)
        <= min(
            division_cost(spoken_words, speech, ends)
            for ends in all_divisions(len(spoken_words), len(speech))
        )
        + 1e-9
    )


def test_2100_words_are_divided_over_300_stretches() -> None:
    spoken_words, speech = ["word", "and", "another."] * 700, [1.0, 2.5] * 150
    ends = divide_text(spoken_words, speech)
    assert ends == sorted(ends)
    assert (len(set(ends)), ends[-1]) == (300, 2100)


def all_divisions(count: int, parts: int) -> list[list[int]]:
    """Return all divisions of `count` words, without empty parts if there are enough words."""
    if count >= parts:
        return [[*cuts, count] for cuts in combinations(range(1, count), parts - 1)]
    return [[*cuts, count] for cuts in combinations_with_replacement(range(count + 1), parts - 1)]


def division_cost(spoken_words: list[str], speech: list[float], ends: list[int]) -> float:
    """Return the cost that `divide_text` minimises, computed directly."""
    weights = [len(word) + WORD_CHARACTERS for word in spoken_words]
    misfit_at_cut = min(SENTENCE_WORDS, len(spoken_words) / len(speech) / 2) / len(spoken_words)
    ahead = total = 0.0
    for (first, last), stretch in zip(pairwise([0, *ends]), speech, strict=True):
        misfit = stretch / sum(speech) - sum(weights[first:last]) / sum(weights)
        ahead += misfit
        total += misfit**2 + DRIFT_COST * ahead**2
        if 0 < last < len(spoken_words):
            cut_cost = {".": 0.0, ",": 0.5}.get(spoken_words[last - 1][-1], 1.0)
            total += cut_cost * 2 * misfit_at_cut**2
    return total
