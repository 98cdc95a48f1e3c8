from __future__ import annotations

import itertools
from dataclasses import replace
from itertools import accumulate, pairwise
from unicodedata import category

import pytest
from hypothesis import given

from tests.transcript.strategies import patient, spoken, transcripts
from voxgate.transcript.align import timed_words
from voxgate.transcript.captions.layout import (
    CAPTION_LIMITS,
    LINE_COLUMNS,
    Caption,
    layout_captions,
)
from voxgate.transcript.text import columns, one_line
from voxgate.transcript.turns import LONGEST_NAME
from voxgate.transcript.values import Segment, Transcript, Word


def captions_of(*segments: Segment, duration: float = 60.0) -> tuple[Caption, ...]:
    return layout_captions(Transcript(segments, duration, "scripted"))


def words(*texts: str, start: float = 0.0, each: float = 0.4, gap: float = 0.0) -> tuple[Word, ...]:
    """Return consecutive words with the same gap, in seconds, after each."""
    return tuple(
        Word(text, start + index * (each + gap), start + index * (each + gap) + each)
        for index, text in enumerate(texts)
    )


def lines(cues: tuple[Caption, ...]) -> list[tuple[str, ...]]:
    return [cue.lines for cue in cues]


def test_without_words_there_are_no_captions() -> None:
    assert captions_of() == ()
    assert captions_of(Segment(" ", 0, 1)) == ()


def test_captions_end_where_sentences_end() -> None:
    text = "Good morning. I saw Dr. Smith at the market. Was he well?"
    assert lines(captions_of(Segment(text, 0, 8))) == [
        ("Good morning.",),
        ("I saw Dr. Smith at the market.",),
        ("Was he well?",),
    ]


def test_chinese_sentences_end_captions_too_and_long_ones_are_broken() -> None:
    text = "大家早上好欢迎收听。" + "今天我们来讨论一下人工智能的发展历史" * 3 + "。谢谢大家！"  # noqa: RUF001
    assert lines(captions_of(Segment(text, 0, 8.5))) == [
        ("大家早上好欢迎收听。",),
        ("今天我们来讨论一下人工智能", "的发展历史今天我们来讨论一下"),
        ("人工智能的发展历史今天我们来", "讨论一下人工智能的发展历史。"),
        ("谢谢大家！",),  # noqa: RUF001
    ]


def test_without_sentences_captions_end_at_pauses() -> None:
    first = words("we", "went", "home", "early")
    second = words("it", "was", "still", "light", start=first[-1].end + 0.8)
    assert lines(captions_of(Segment("", 0, 5, first + second))) == [
        ("we went home early",),
        ("it was still light",),
    ]


def test_regions_of_speech_share_a_caption_unless_a_pause_is_between_them() -> None:
    """A pause that padding fills is 0.3 to 0.4 s long: part of speaking, as between words."""
    stretches = [
        ("we went", 0, 1),
        ("home early", 1, 2),
        ("it was", 2.6, 3.4),
        ("light", 3.45, 4.5),
    ]
    regions = [
        Segment(text, start, end, time_source="speech_region") for text, start, end in stretches
    ]
    assert lines(captions_of(*regions)) == [("we went home early",), ("it was light",)]


def test_without_pauses_captions_end_at_commas() -> None:
    text = (
        "when we came home from the market in the old town, "
        "nobody had expected us to be back there before dinner"
    )
    assert lines(captions_of(Segment(text, 0, 8))) == [
        ("when we came home from the", "market in the old town,"),
        ("nobody had expected us to", "be back there before dinner"),
    ]


def test_lines_are_balanced() -> None:
    assert lines(captions_of(Segment("it was the best of times and it was the worst", 0, 4))) == [
        ("it was the best of times", "and it was the worst"),
    ]


def test_a_short_caption_is_shown_for_a_second() -> None:
    assert captions_of(Segment("Yes.", 5.0, 5.2)) == (Caption(5.0, 6.0, ("Yes.",)),)


def test_a_dash_begins_the_caption_of_another_party() -> None:
    segments = [
        Segment("Are you there?", 0, 1, channel=1),
        Segment("Yes.", 1, 1.4, channel=2),
        Segment("I am.", 1.5, 2, channel=2),
        Segment("Good.", 1.8, 2.4, channel=1),
    ]
    assert lines(captions_of(*segments)) == [
        ("- Are you there?",),
        ("- Yes. I am.",),
        ("- Good.",),
    ]
    alone = [replace(segment, channel=2) for segment in segments]
    assert not any(
        line.startswith("-") for caption in lines(captions_of(*alone)) for line in caption
    )


def test_a_name_begins_the_caption_of_another_party_instead() -> None:
    segments = (
        Segment("Are you there?", 0, 1, channel=1),
        Segment("Yes.", 1, 1.4, channel=2),
        Segment("I am.", 1.5, 2, channel=2),
        Segment("Who?", 2, 3, channel=3),
    )
    named = Transcript(segments, 10.0, "scripted", channel_names=("Caller", "Agent"))
    assert lines(layout_captions(named)) == [
        ("Caller: Are you there?",),
        ("Agent: Yes. I am.",),
        ("Channel 3: Who?",),
    ]
    alone = replace(named, segments=segments[1:3])  # which party it is, is worth saying
    assert lines(layout_captions(alone)) == [("Agent: Yes. I am.",)]
    mixed = replace(named, segments=(Segment("Hello.", 0, 1),))
    assert lines(layout_captions(mixed)) == [("Hello.",)]


def test_captions_of_parties_who_speak_at_once_are_shown_at_once() -> None:
    first = words("So.", "Well.", "Right.", "Now.", each=0.5, gap=0.6)
    second = words("I", "said", "no.", start=0.3, each=0.5, gap=0.1)
    cues = captions_of(
        Segment("", 0, 4.4, first, channel=1), Segment("", 0.3, 2.1, second, channel=2)
    )
    assert cues == (
        Caption(0.0, 1.0, ("- So.",), 1),
        Caption(0.3, second[-1].end, ("- I said no.",), 2),
        Caption(first[1].start, first[1].start + 1, ("- Well.",), 1),
        Caption(first[2].start, first[2].start + 1, ("Right.",), 1),
        Caption(first[3].start, first[3].start + 1, ("Now.",), 1),
    )


def test_a_line_with_a_dash_is_no_longer_than_others() -> None:
    text = "it was the best of times and it was the worst of times in all of the old town " * 3
    cues = captions_of(Segment(text, 0, 20, channel=1), Segment("Yes.", 3, 4, channel=2))
    assert sum(cue.lines[0].startswith("- ") for cue in cues) == 3
    assert max(columns(line) for cue in cues for line in cue.lines) <= 42
    longest = "N" * LONGEST_NAME
    for language in ("en", "ja"):
        named = Transcript(
            (Segment(text, 0, 20, channel=1),),
            20.0,
            "scripted",
            language=language,
            channel_names=(longest,),
        )
        cues = layout_captions(named)
        assert cues[0].lines[0].startswith(f"{longest}: ")
        width = LINE_COLUMNS.get(language, CAPTION_LIMITS.line_columns)
        assert max(columns(line) for cue in cues for line in cue.lines) <= width


def test_a_short_caption_at_the_end_is_shown_earlier() -> None:
    assert captions_of(Segment("Bye.", 9.5, 9.7), duration=10.0) == (Caption(9.0, 10.0, ("Bye.",)),)


def test_short_sentences_without_enough_time_share_a_caption() -> None:
    cues = captions_of(
        Segment("", 0, 4, words("Yes.", "No.", "Okay.", "Fine.", each=0.3)), duration=1.2
    )
    assert cues == (Caption(0.0, 1.2, ("Yes. No. Okay. Fine.",)),)


def test_a_caption_never_bridges_a_long_silence() -> None:
    cues = captions_of(Segment("", 0, 9, words("one", "two", each=0.5, gap=3.0)))
    assert cues == (Caption(0.0, 1.0, ("one",)), Caption(3.5, 4.5, ("two",)))


def test_a_word_longer_than_a_line_is_split() -> None:
    cues = captions_of(Segment("a" * 42 + "b" * 42 + "c" * 6, 0, 9))
    assert "".join("".join(cue.lines) for cue in cues) == "a" * 42 + "b" * 42 + "c" * 6
    assert max(len(line) for cue in cues for line in cue.lines) == 42


def test_a_word_longer_than_the_longest_caption_is_shown_for_its_first_seven_seconds() -> None:
    assert captions_of(Segment("Ooooh", 1.0, 30.0)) == (Caption(1.0, 8.0, ("Ooooh",)),)


def test_too_many_captions_for_the_time_share_it_equally() -> None:
    cues = captions_of(Segment("word " * 40, 0, 1), duration=1.0)  # 200 characters in a second

    assert len(cues) == 3
    assert all(abs(cue.end - cue.start - 1 / 3) < 1e-9 for cue in cues)


def test_words_with_the_same_time_are_spread_into_the_silence_after_them() -> None:
    crowd = tuple(Word("word", 5.0, 5.0) for _ in range(40))
    cues = captions_of(Segment("", 5, 9, (*crowd, Word("after", 20.0, 20.5))))

    assert [(cue.start, cue.end) for cue in cues] == [(5, 6), (6, 7), (7, 8), (20, 21)]


def test_punctuation_of_the_text_is_shown() -> None:
    timed = words("Hello", "world", "he", "said", "well", "known", "that", each=1.0)
    different = Segment('"Hello, world!" He said: (well-known) \u2013 that.', 0, 7, timed)
    same = Segment('"Hello, world!" he said: (well-known) \u2013 that.', 0, 7, timed)

    assert " ".join(line for cue in captions_of(same) for line in cue.lines) == same.text
    # The text has another word here ("He"), so the timed words are used.
    assert " ".join(line for cue in captions_of(different) for line in cue.lines) == (
        "Hello world he said well known that"
    )


@pytest.mark.parametrize(
    ("language", "character", "most"),
    [("ja", "人", 13), ("zh", "人", 16), ("yue", "人", 16), ("ko", "가", 16), (None, "人", 21)],
)
def test_a_line_of_wide_characters_is_full_at_its_width(
    language: str | None, character: str, most: int
) -> None:
    def widths(count: int) -> list[list[int]]:
        transcript = Transcript((Segment(character * count, 0, 6),), 6, "scripted", language)
        return [[len(line) for line in cue.lines] for cue in layout_captions(transcript)]

    assert widths(most) == [[most]]
    assert widths(2 * most) == [[most, most]]
    assert len(widths(2 * most + 1)) == 2


def test_a_line_of_japanese_ends_with_a_phrase() -> None:
    text = "今日は東京で人工知能について話しますので最後まで聞いてください"
    transcript = Transcript((Segment(text, 0, 6),), 6, "scripted", "ja")
    found = [line for cue in layout_captions(transcript) for line in cue.lines]
    assert "".join(found) == text
    assert all(line.endswith(("は", "で", "ついて", "ので", "まで", "ください")) for line in found)


def test_a_translation_has_lines_of_english() -> None:
    text = "it was the best of times and it was the worst of times"
    transcript = Transcript((Segment(text, 0, 6),), 6, "scripted", "ja", task="translate")
    assert len(layout_captions(transcript)) == 1


SPACELESS = {
    "th": ["วันนี้", "เรา", "จะ", "พูด", "ถึง", "ปัญญา", "ประดิษฐ์", "และ", "เทคโนโลยี", "สมัย", "ใหม่"] * 3,
    "lo": ["ສະບາຍດີ", "ມື້ນີ້", "ເຮົາ", "ຈະ", "ເວົ້າ", "ກ່ຽວກັບ"] * 6,
    "km": ["ថ្ងៃនេះ", "យើង", "នឹង", "និយាយ", "អំពី"] * 6,
    "my": ["ဒီ", "နေ့", "နည်း", "ပညာ", "အကြောင်း", "ပြော"] * 6,
}
"""Sentences without spaces, by their words."""


@pytest.mark.parametrize("language", SPACELESS)
@pytest.mark.parametrize("timed", [False, True])
def test_no_caption_and_no_line_ends_within_a_word(language: str, *, timed: bool) -> None:
    """A model has times for tokens, which are less than words: here for every three characters."""
    given = SPACELESS[language]
    text = "".join(given)
    tokens = [text[at : at + 3] for at in range(0, len(text), 3)] if timed else []
    segment = Segment(text, 0, 30, words(*tokens, each=0.2) if timed else ())
    found = [line for cue in captions_of(segment) for line in cue.lines]
    assert "".join(found) == text
    assert len(found) > 2
    ends = set(accumulate(map(len, given)))
    assert set(accumulate(map(len, found))) <= ends


ARABIC = "مَرْحَبًا بِكُم، كَيْفَ حَالُكُم؟"
HEBREW = "שָׁלוֹם, מַה שְּׁלוֹמְךָ?"


@pytest.mark.parametrize("text", [ARABIC, HEBREW])
def test_marks_and_punctuation_stay_at_their_letters(text: str) -> None:
    bare = tuple(word.rstrip("،؟,?") for word in text.split())
    cues = captions_of(Segment(text, 0, 4, words(*bare)))
    assert " ".join(line for cue in cues for line in cue.lines) == text
    long = captions_of(Segment(" ".join([text] * 6), 0, 30))
    assert all(category(line[0])[0] != "M" for cue in long for line in cue.lines)
    whole = "".join(text.split()) * 3  # one word, longer than a line
    parts = [line for cue in captions_of(Segment(whole, 0, 9)) for line in cue.lines]
    assert "".join(parts) == whole
    assert all(category(part[0])[0] != "M" for part in parts)


def test_a_line_from_right_to_left_that_begins_with_latin_letters_says_its_direction() -> None:
    mixed = "iPhone هو هاتف جديد."
    assert lines(captions_of(Segment(mixed, 0, 3))) == [("\u200f" + mixed,)]
    assert lines(captions_of(Segment(ARABIC, 0, 3))) == [(ARABIC,)]
    latin = "The word سلام means peace."
    assert lines(captions_of(Segment(latin, 0, 3))) == [(latin,)]


@given(transcripts())
@patient
def test_the_hard_limits_hold_for_any_transcript(transcript: Transcript) -> None:
    cues = layout_captions(transcript)

    for cue in cues:
        assert 1 <= len(cue.lines) <= 2
        assert all(line and columns(line) <= 42 for line in cue.lines)
        assert all(one_line(line) == line for line in cue.lines)
        assert 0 <= cue.start <= cue.end <= transcript.duration
        assert cue.end - cue.start <= 7 + 1e-9
        assert cue.start < cue.end or transcript.duration == 0
    assert all(left.end <= right.start for left, right in pairwise(cues))


@given(transcripts())
@patient
def test_every_word_is_shown_once_and_in_order(transcript: Transcript) -> None:
    caption_letters = letters(
        "".join(line for cue in layout_captions(transcript) for line in cue.lines)
    )

    assert caption_letters == letters(
        "".join(word.text for segment in transcript.segments for word in timed_words(segment))
    )


@given(transcripts(), transcripts())
@patient
def test_a_channel_has_the_captions_that_it_has_alone(
    first: Transcript, second: Transcript
) -> None:
    """But for the dashes, and for the length of lines, which leaves space for them."""
    duration = max(first.duration, second.duration)
    parties = [
        [replace(segment, channel=channel) for segment in each.segments]
        for channel, each in enumerate((first, second), start=1)
    ]
    both = sorted(itertools.chain(*parties), key=lambda segment: segment.start)
    cues = captions_of(*both, duration=duration)
    assert all(left.start <= right.start for left, right in pairwise(cues))
    assert all(columns(line) <= 42 for cue in cues for line in cue.lines)
    for channel, party in enumerate(parties, start=1):
        own = [cue for cue in cues if cue.channel == channel]
        alone = captions_of(*party, duration=duration)
        assert all(left.end <= right.start for left, right in pairwise(own))
        assert letters("".join(line for cue in own for line in cue.lines)) == letters(
            "".join(line for cue in alone for line in cue.lines)
        )


@given(spoken())
@patient
def test_speech_gives_captions_of_at_least_a_second_each_shown_while_it_is_spoken(
    transcript: Transcript,
) -> None:
    cues = layout_captions(transcript)

    assert all(cue.end - cue.start >= 1 - 1e-9 for cue in cues)
    spoken_at = iter(transcript.words)
    for cue in cues:
        cue_words = [next(spoken_at) for _ in " ".join(cue.lines).split(" ")]
        assert abs(cue.start - cue_words[0].start) <= 1
    assert next(spoken_at, None) is None


def letters(text: str) -> str:
    """Return letters and digits only: punctuation and line ends may differ from the words."""
    return "".join(filter(str.isalnum, one_line(text)))
