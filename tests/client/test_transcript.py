"""`verbose_json` read back: as this version writes it, as others do, and as nobody should."""

import json
from typing import Any

import pytest
from hypothesis import given

from tests.client.wire import GOLDEN
from tests.transcript.strategies import patient, spoken, transcripts
from voxgate.client.transcript import parse_transcript
from voxgate.errors import ServerError
from voxgate.transcript.align import align_to_regions
from voxgate.transcript.formats import find_writer
from voxgate.transcript.text import encodable
from voxgate.transcript.values import Notice, Segment, Transcript, Word

MILLISECOND = 0.001


def read(**changes: Any) -> Transcript:
    """The golden answer with changes; None leaves a member out."""
    members = {k: v for k, v in (GOLDEN | changes).items() if v is not None}
    return parse_transcript(members, model="asked/for")


def test_a_voxgate_servers_answer() -> None:
    warnings = [{"code": "clock_jump", "sentence": "The recording jumps."}]
    assert read(warnings=warnings) == Transcript(
        segments=(
            Segment(
                "train stopped",
                0.25,
                1.0,
                (Word("train", 0.25, 0.5), Word("stopped", 0.5, 1.0, 0.5)),
                0.75,
            ),
            Segment(
                "outside the city",
                1.0,
                2.0,
                (Word("outside", 1.0, 1.5), Word("the", 1.5, 1.5), Word("city", 1.5, 2.0)),
            ),
        ),
        duration=2.5,
        model="cmusphinx/en-us",
        language="en",
        notices=(Notice("clock_jump", "The recording jumps."),),
    )


def test_the_answer_that_satisfies_every_client() -> None:
    """openrouter-api.md 11.6, with everything that is unknown here."""
    body = {
        "text": "hello", "task": "transcribe", "language": "en", "duration": 1.52,
        "usage": {"seconds": 2, "cost": 0.0001, "input_tokens": 27},
        "segments": [{"id": 0, "seek": 0, "start": 0.0, "end": 1.52, "text": "hello", "tokens": [],
                      "temperature": 0.0, "avg_logprob": -0.1, "speaker": 0}],
        "words": [{"word": " hello", "start": 0.1, "end": 0.6, "speaker": 0, "type": "word"}],
    }  # fmt: skip
    assert parse_transcript(body, model="asked/for") == Transcript(
        (Segment("hello", 0.0, 1.52, (Word("hello", 0.1, 0.6),)),), 1.52, "asked/for", "en"
    )


def test_who_answered_is_kept() -> None:
    who = {"checkpoint": "acme/tiny", "revision": "0123", "profile": "fast"}
    heard = read(model="acme/tiny", voxgate=who)
    assert (heard.model, heard.revision, heard.profile) == ("acme/tiny", "0123", "fast")
    for form in ("json", "verbose_json"):
        assert json.loads(find_writer(form).write(heard))["voxgate"] == who
    other = read(voxgate={"profile": "fast", "of_a_later_version": 1})
    assert (other.revision, other.profile) == (None, "fast")
    assert "voxgate" not in json.loads(find_writer("json").write(read()))


def test_without_words_nothing_is_made_up() -> None:
    heard = read(words=None)
    assert [segment.text for segment in heard.segments] == ["train stopped", "outside the city"]
    assert heard.words == ()


def test_guessed_words_are_guessed_again_where_they_are_needed() -> None:
    guessed = [{**word, "time_source": "interpolated"} for word in GOLDEN["words"]]
    assert read(words=guessed) == read(words=None)


def test_words_within_speech_that_was_found_are_as_a_local_run_has_them() -> None:
    write = find_writer("verbose_json").write
    (local,) = align_to_regions(Segment("one two", 0.0, 2.5, confidence=0.5), [(0.25, 2.0)], 0.2)
    written = write(Transcript((local,), 2.5, "my-voxtral", "en"))
    heard = parse_transcript(json.loads(written), model="my-voxtral")
    assert [word.text for word in heard.words] == ["one", "two"]
    assert write(heard) == written


def test_without_segments_the_words_make_one() -> None:
    (segment,) = read(segments=[]).segments
    assert (segment.start, segment.end) == (0.25, 2.0)
    assert [word.text for word in segment.words] == GOLDEN["text"].split()
    assert read(segments=None, text="") == read(segments=None)


def test_text_alone_is_one_segment_of_unknown_times() -> None:
    heard = read(segments=None, words=None)
    assert heard.segments == (Segment(GOLDEN["text"], 0.0, 2.5, time_source="interpolated"),)


def test_silence_is_an_empty_transcript() -> None:
    assert read(text="", segments=[], words=[]).segments == ()


def test_without_a_duration_the_last_end_is_it() -> None:
    assert read(duration=None).duration == 2.0
    assert read(duration=None, words=None).duration == 2.0


@pytest.mark.parametrize(
    ("said", "code"),
    [("de", "de"), ("DE", "de"), ("pt-BR", "pt"), ("yue", "yue"), ("english", None), ("", None)],
)
def test_a_language_is_its_code(said: str, code: str | None) -> None:
    assert read(language=said).language == code


def test_times_are_put_right() -> None:
    segments = [
        {"text": "one", "start": 1.0, "end": 9.0},
        {"text": "two", "start": -1.0, "end": 1.5},
    ]
    heard = read(segments=segments, words=None)
    assert [(s.text, s.start, s.end) for s in heard.segments] == [
        ("one", 1.0, 2.5),
        ("two", 2.5, 2.5),
    ]


def test_a_word_goes_to_the_segment_that_holds_its_middle_or_is_nearest() -> None:
    segments = [
        {"text": "a b", "start": 1.0, "end": 2.0},
        {"text": "c d", "start": 2.0, "end": 3.0},
        {"text": "e", "start": 5.0, "end": 6.0},
    ]
    times = {"x": (0, 0.5), "a": (1, 1.2), "b": (1.9, 2.1), "d": (2, 2), "near": (3, 3.2)}
    times |= {"far": (4.7, 4.9), "e": (5, 6), "late": (9, 10)}
    words = [{"word": w, "start": start, "end": end} for w, (start, end) in times.items()]
    heard = read(duration=10, text="", segments=segments, words=words)
    assert [[word.text for word in s.words] for s in heard.segments] == [
        ["x", "a", "b"],
        ["d", "near"],
        ["far", "e", "late"],
    ]


SEGMENT, WORD = GOLDEN["segments"][0], GOLDEN["words"][0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"text": None}, "'text' is missing"),
        ({"text": 7}, "'text' is no text"),
        ({"duration": "2.5"}, "'duration' is no number"),
        ({"duration": True}, "'duration' is no number"),
        ({"duration": -1}, "'duration' is below zero"),
        ({"duration": float("nan")}, "'duration' is no finite number"),
        ({"duration": 10**400}, "'duration' is no finite number"),
        ({"duration": None, "segments": [], "words": []}, "'duration' is missing"),
        ({"model": ["x"]}, "'model' is no text"),
        ({"language": 1}, "'language' is no text"),
        ({"voxgate": "acme/tiny"}, "'voxgate' is no object"),
        ({"voxgate": {"revision": 7}}, r"'voxgate\.revision' is no text"),
        ({"segments": {}}, "'segments' is no list"),
        ({"segments": [SEGMENT, "x"]}, "'segments' holds something that is no object"),
        ({"segments": [SEGMENT, SEGMENT | {"start": "1"}]}, r"'segments\[1\].start' is no number"),
        ({"segments": [SEGMENT | {"end": None}]}, r"'segments\[0\].end' is missing"),
        ({"segments": [SEGMENT | {"confidence": 2}]}, "is not between 0 and 1"),
        ({"segments": [SEGMENT | {"time_source": "guess"}]}, "is none of recognised, speech_reg"),
        ({"words": [{"text": "train", "start": 0, "end": 1}]}, r"'words\[0\].word' is missing"),
        ({"words": [WORD | {"end": float("inf")}]}, "is no finite number"),
        ({"warnings": ["careful"]}, "'warnings' holds something that is no object"),
        ({"warnings": [{"code": "x"}]}, r"'warnings\[0\].sentence' is missing"),
    ],
)
def test_what_is_odd_is_told_by_its_name(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ServerError, match=says):
        read(**changes)


@patient
@given(transcripts())
def test_no_word_and_no_text_is_lost_between_writer_and_reader(written: Transcript) -> None:
    heard = parse_transcript(
        json.loads(find_writer("verbose_json").write(written)), model="another"
    )
    assert [s.text for s in heard.segments] == [encodable(s.text) for s in written.segments]
    assert sorted(w.text for w in heard.words) == sorted(encodable(w.text) for w in written.words)
    assert (heard.model, heard.duration) == (written.model, round(written.duration, 3))
    for ours, theirs in zip(heard.segments, written.segments, strict=True):
        assert ours.start == pytest.approx(theirs.start, abs=MILLISECOND)
        assert ours.end == pytest.approx(theirs.end, abs=MILLISECOND)


@patient
@given(spoken())
def test_what_was_spoken_comes_back_to_the_millisecond(written: Transcript) -> None:
    heard = parse_transcript(
        json.loads(find_writer("verbose_json").write(written)), model="another"
    )
    assert [w.text for w in heard.words] == [w.text for w in written.words]
    for ours, theirs in zip(heard.words, written.words, strict=True):
        assert ours.start == pytest.approx(theirs.start, abs=MILLISECOND)
        assert ours.end == pytest.approx(theirs.end, abs=MILLISECOND)
