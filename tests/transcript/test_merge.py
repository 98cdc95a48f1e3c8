from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.transcript.strategies import WINDOW_S, patient, segments, transcripts
from voxgate.transcript.merge import join_segments, place_segments
from voxgate.transcript.text import one_line
from voxgate.transcript.values import Notice, Segment, Transcript, Word


def joined(*parts: Segment, duration: float = 60.0) -> Transcript:
    return join_segments(parts, duration=duration, model="scripted", language="en", notices=())


def test_a_window_is_moved_to_its_position_in_the_recording() -> None:
    word = Word("hello", 1.0, 1.5, confidence=0.9, time_source="speech_region")
    segment = Segment(" hello ", 1.0, 2.0, (word,), confidence=0.8)

    assert place_segments([segment], 30.0, 60.0) == (
        Segment(
            "hello",
            31.0,
            32.0,
            (Word("hello", 31.0, 31.5, confidence=0.9, time_source="speech_region"),),
            confidence=0.8,
        ),
    )


def test_times_beyond_the_window_are_clipped_and_no_word_is_lost() -> None:
    (placed,) = place_segments(
        [Segment("a b", -1, 99, (Word("a", -1, 2), Word("b", 50, 99)))], 10.0, 20.0
    )

    assert (placed.start, placed.end) == (10.0, 20.0)
    assert [(word.text, word.start, word.end) for word in placed.words] == [
        ("a", 10.0, 12.0),
        ("b", 20.0, 20.0),
    ]


def test_a_segment_is_widened_over_its_words() -> None:
    (placed,) = place_segments(
        [Segment("a b", 3, 4, (Word("a", 2, 3), Word("b", 3.5, 5)))], 0.0, 10.0
    )

    assert (placed.start, placed.end) == (2, 5)


def test_the_order_of_the_text_is_kept_and_only_times_change() -> None:
    placed = place_segments([Segment("first", 5, 7), Segment("second", 4, 9)], 0.0, 10.0)

    assert [(s.text, s.start, s.end) for s in placed] == [("first", 5, 7), ("second", 7, 9)]


def test_segments_without_text_are_left_out() -> None:
    empty = Word(" \x00", 1, 2)
    assert place_segments([Segment(" \n", 0, 1), Segment("", 1, 2, (empty,))], 0.0, 10.0) == ()


def test_words_without_a_text_give_the_segment_its_text() -> None:
    words = (Word(" so", 0, 1), Word("", 1, 2), Word("it", 2, 3))
    (placed,) = place_segments([Segment("", 0, 3, words)], 0.0, 10.0)

    assert placed.text == "so it"
    assert [word.text for word in placed.words] == ["so", "it"]


def test_windows_are_joined_in_the_order_of_time_in_whatever_order_they_end() -> None:
    first = Segment("first", 30.0, 30.0)  # at the time where the next window begins
    transcript = joined(Segment("second", 30.0, 31.0), first)

    assert transcript.text == "first second"


def test_a_transcript_ends_within_the_recording() -> None:
    transcript = joined(Segment("a", 58, 70, (Word("a", 59, 70),)), duration=60.0)

    assert transcript.segments[0].end == 60.0
    assert transcript.words[0].end == 60.0


def test_times_are_whole_milliseconds_and_lie_in_the_recording() -> None:
    heard = (Word("a", 1.23456, 1.9999999), Word("b", 2.00049, 2.3456875))
    transcript = joined(Segment("a b", 1.23456, 2.3456875, heard), duration=2.3456875)
    assert [(word.start, word.end) for word in transcript.words] == [(1.235, 2.0), (2.0, 2.345)]
    assert (transcript.segments[0].start, transcript.segments[0].end) == (1.235, 2.345)
    assert transcript.duration == 2.3456875


def test_a_notice_is_kept_once() -> None:
    twice, once = Notice("clock_jump", "The clock jumped."), Notice("loop", "A loop was cut.")
    transcript = join_segments(
        [], duration=1.0, model="scripted", language=None, notices=[twice, once, twice]
    )

    assert transcript == Transcript((), 1.0, "scripted", None, (twice, once))


@given(st.lists(segments, max_size=8))
@patient
def test_any_segments_become_monotone_and_inside_the_window(given_segments: list[Segment]) -> None:
    placed = place_segments(given_segments, 30.0, 30.0 + WINDOW_S)

    assert_monotone(placed, 30.0, 30.0 + WINDOW_S)
    assert [word.text for segment in placed for word in segment.words] == [
        word.text.strip()
        for segment in given_segments
        for word in segment.words
        if one_line(word.text)
    ]


@given(transcripts())
@patient
def test_a_joined_transcript_is_monotone_and_joining_it_again_changes_nothing(
    transcript: Transcript,
) -> None:
    assert_monotone(transcript.segments, 0.0, transcript.duration)
    timed_parts: list[Segment | Word] = [*transcript.segments, *transcript.words]
    for timed in timed_parts:
        assert (timed.start, timed.end) == (round(timed.start, 3), round(timed.end, 3))
    again = join_segments(
        transcript.segments,
        duration=transcript.duration,
        model=transcript.model,
        language=transcript.language,
        notices=transcript.notices,
    )
    assert again == transcript


def assert_monotone(placed: tuple[Segment, ...], floor: float, ceiling: float) -> None:
    for segment in placed:
        assert segment.text
        assert floor <= segment.start <= segment.end <= ceiling
        for word in segment.words:
            assert segment.start <= word.start <= word.end <= segment.end
        assert all(left.end <= right.start for left, right in pairwise(segment.words))
    assert all(left.end <= right.start for left, right in pairwise(placed))
