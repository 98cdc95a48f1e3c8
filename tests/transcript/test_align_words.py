from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.transcript.strategies import patient, texts
from voxgate.transcript.align import timed_words
from voxgate.transcript.text import one_line
from voxgate.transcript.values import Segment, Word


def test_a_segments_own_words_are_not_changed() -> None:
    words = (Word("own", 1.0, 1.2, confidence=0.5),)
    assert timed_words(Segment("its own", 0.0, 3.0, words)) == words


def test_words_get_time_by_their_characters_and_are_marked_as_interpolated() -> None:
    assert timed_words(Segment("ab abcdef", 10.0, 14.0)) == (
        Word("ab", 10.0, 11.0, time_source="interpolated"),
        Word("abcdef", 11.0, 14.0, time_source="interpolated"),
    )


def test_text_without_spaces_is_divided_so_that_lines_can_be_broken() -> None:
    words = timed_words(Segment("你好。", 0.0, 3.0))
    assert [(word.text, word.start, word.end) for word in words] == [("你", 0, 1), ("好。", 1, 3)]


def test_no_text_has_no_words() -> None:
    assert timed_words(Segment(" \n", 0.0, 3.0)) == ()


@given(texts, st.floats(0, 1e6), st.floats(0, 1e4))
@patient
def test_interpolated_words_fill_the_segment_without_a_gap(
    text: str, start: float, length: float
) -> None:
    words = timed_words(Segment(text, start, start + length))

    assert "".join(word.text for word in words) == one_line(text).replace(" ", "")
    assert all(word.start <= word.end for word in words)
    assert all(left.end == right.start for left, right in pairwise(words))
    assert not words or (words[0].start, words[-1].end) == (start, start + length)
