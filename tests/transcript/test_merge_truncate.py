from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.transcript.strategies import patient, transcripts
from tests.transcript.test_merge import assert_monotone
from voxgate.transcript.merge import place_segments, truncate_segments
from voxgate.transcript.values import Decoding, Segment, Transcript, Word

WORDS = (Word("one", 0.0, 1.0), Word("two", 1.0, 2.0), Word("three", 2.5, 3.0))
WITH_WORDS = Segment("One, two three.", 0.0, 3.0, WORDS, confidence=0.5)
WITHOUT_WORDS = Segment("ab cd", 10.0, 14.0)


def test_a_whole_segment_is_not_changed() -> None:
    assert truncate_segments([WITH_WORDS, WITHOUT_WORDS], len("One, two three. ab cd")) == (
        WITH_WORDS,
        WITHOUT_WORDS,
    )
    assert truncate_segments([WITH_WORDS, WITHOUT_WORDS], len("One, two three. ")) == (WITH_WORDS,)
    assert truncate_segments([WITH_WORDS, WITHOUT_WORDS], 0) == ()
    silent = Segment("", 3.0, 4.0)
    assert truncate_segments([WITH_WORDS, silent, WITHOUT_WORDS], len("One, two three. ab cd")) == (
        WITH_WORDS,
        WITHOUT_WORDS,
    )


def test_a_shortened_segment_ends_with_its_last_word() -> None:
    (cut,) = truncate_segments([WITH_WORDS, WITHOUT_WORDS], len("One, two "))
    assert (cut.text, cut.end, cut.confidence) == ("One, two", 2.0, 0.5)
    assert cut.words == (WORDS[0], WORDS[1])


def test_a_word_across_the_cut_keeps_its_first_characters() -> None:
    (cut,) = truncate_segments([WITH_WORDS], len("One, tw"))
    assert [word.text for word in cut.words] == ["one", "tw"]


def test_a_segment_without_words_ends_in_proportion_to_its_text() -> None:
    _, cut = truncate_segments([WITH_WORDS, WITHOUT_WORDS], len("One, two three. ab "))
    assert cut == Segment("ab", 10.0, 12.0)


@given(transcripts(), st.data())
@patient
def test_the_result_is_the_beginning_of_the_joined_text(
    transcript: Transcript, data: st.DataObject
) -> None:
    characters = data.draw(st.integers(0, len(transcript.text) + 1))
    kept = truncate_segments(transcript.segments, characters)
    text = " ".join(segment.text for segment in kept)
    assert transcript.text.startswith(text)
    assert transcript.text[len(text) : characters].strip() == ""
    assert_monotone(kept, 0.0, transcript.duration)


def test_a_shortened_segment_is_as_doubtful_as_before() -> None:
    doubtful = Segment("a b a b", 0, 2, doubt="repeats itself", decoding=Decoding(-0.5, 2.5, 0, 0))
    (placed,) = place_segments([doubtful], 1, 3)
    (cut,) = truncate_segments([placed], 3)
    assert (cut.text, cut.doubt, cut.decoding) == ("a b", doubtful.doubt, doubtful.decoding)
