"""`verbose_json` parsed: as this version writes it, as others write it, and invalid."""

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
from voxgate.transcript.values import Decoding, Notice, Segment, Transcript, Word

MILLISECOND = 0.001


def read(**changes: Any) -> Transcript:
    """Parse the golden response with changes. None leaves a member out."""
    members = {k: v for k, v in (GOLDEN | changes).items() if v is not None}
    return parse_transcript(members, model="asked/for")


def test_the_response_of_a_voxgate_server() -> None:
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
        model="Systran/faster-whisper-base",
        language="en",
        notices=(Notice("clock_jump", "The recording jumps."),),
    )


def test_the_response_that_every_client_accepts() -> None:
    """The response of openrouter-api.md 11.6, with every field that Voxgate does not know."""
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


def test_the_checkpoint_is_kept() -> None:
    checkpoint = {"checkpoint": "acme/tiny", "revision": "0123", "profile": "fast"}
    parsed = read(model="acme/tiny", voxgate=checkpoint)
    assert (parsed.model, parsed.revision, parsed.profile) == ("acme/tiny", "0123", "fast")
    for form in ("json", "verbose_json"):
        assert json.loads(find_writer(form).write(parsed))["voxgate"] == checkpoint
    other = read(voxgate={"profile": "fast", "of_a_later_version": 1})
    assert (other.revision, other.profile) == (None, "fast")
    assert "voxgate" not in json.loads(find_writer("json").write(read()))


def test_without_words_no_words_are_added() -> None:
    parsed = read(words=None)
    assert [segment.text for segment in parsed.segments] == ["train stopped", "outside the city"]
    assert parsed.words == ()


def test_interpolated_words_are_left_out() -> None:
    interpolated = [{**word, "time_source": "interpolated"} for word in GOLDEN["words"]]
    assert read(words=interpolated) == read(words=None)


def test_words_in_speech_regions_are_kept_as_in_a_local_transcript() -> None:
    write = find_writer("verbose_json").write
    (local,) = align_to_regions(Segment("one two", 0.0, 2.5, confidence=0.5), [(0.25, 2.0)], 0.2)
    written = write(Transcript((local,), 2.5, "my-voxtral", "en"))
    parsed = parse_transcript(json.loads(written), model="my-voxtral")
    assert [word.text for word in parsed.words] == ["one", "two"]
    assert write(parsed) == written


def test_without_segments_the_words_become_one_segment() -> None:
    (segment,) = read(segments=[]).segments
    assert (segment.start, segment.end) == (0.25, 2.0)
    assert [word.text for word in segment.words] == GOLDEN["text"].split()
    assert read(segments=None, text="") == read(segments=None)


def test_text_alone_is_one_segment_over_the_whole_duration() -> None:
    parsed = read(segments=None, words=None)
    assert parsed.segments == (Segment(GOLDEN["text"], 0.0, 2.5, time_source="interpolated"),)


def test_silence_is_an_empty_transcript() -> None:
    assert read(text="", segments=[], words=[]).segments == ()


def test_without_a_duration_the_last_end_is_used() -> None:
    assert read(duration=None).duration == 2.0
    assert read(duration=None, words=None).duration == 2.0


@pytest.mark.parametrize(
    ("language", "code"),
    [("de", "de"), ("DE", "de"), ("pt-BR", "pt"), ("yue", "yue"), ("english", None), ("", None)],
)
def test_a_language_is_reduced_to_its_code(language: str, code: str | None) -> None:
    assert read(language=language).language == code


def test_inconsistent_times_are_corrected() -> None:
    segments = [
        {"text": "one", "start": 1.0, "end": 9.0},
        {"text": "two", "start": -1.0, "end": 1.5},
    ]
    parsed = read(segments=segments, words=None)
    assert [(s.text, s.start, s.end) for s in parsed.segments] == [
        ("one", 1.0, 2.5),
        ("two", 2.5, 2.5),
    ]


def test_a_word_belongs_to_the_segment_that_contains_its_middle_or_is_nearest() -> None:
    segments = [
        {"text": "a b", "start": 1.0, "end": 2.0},
        {"text": "c d", "start": 2.0, "end": 3.0},
        {"text": "e", "start": 5.0, "end": 6.0},
    ]
    times = {"x": (0, 0.5), "a": (1, 1.2), "b": (1.9, 2.1), "d": (2, 2), "near": (3, 3.2)}
    times |= {"far": (4.7, 4.9), "e": (5, 6), "late": (9, 10)}
    words = [{"word": w, "start": start, "end": end} for w, (start, end) in times.items()]
    parsed = read(duration=10, text="", segments=segments, words=words)
    assert [[word.text for word in s.words] for s in parsed.segments] == [
        ["x", "a", "b"],
        ["d", "near"],
        ["far", "e", "late"],
    ]


SEGMENT, WORD = GOLDEN["segments"][0], GOLDEN["words"][0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": None}, "'text' is missing"),
        ({"text": 7}, "'text' is not a string"),
        ({"duration": "2.5"}, "'duration' is not a number"),
        ({"duration": True}, "'duration' is not a number"),
        ({"duration": -1}, "'duration' is below zero"),
        ({"duration": float("nan")}, "'duration' is not a finite number"),
        ({"duration": 10**400}, "'duration' is not a finite number"),
        ({"duration": None, "segments": [], "words": []}, "'duration' is missing"),
        ({"model": ["x"]}, "'model' is not a string"),
        ({"language": 1}, "'language' is not a string"),
        ({"voxgate": "acme/tiny"}, "'voxgate' is not an object"),
        ({"voxgate": {"revision": 7}}, r"'voxgate\.revision' is not a string"),
        ({"segments": {}}, "'segments' is not a list"),
        ({"segments": [SEGMENT, "x"]}, "'segments' contains something that is not an object"),
        (
            {"segments": [SEGMENT, SEGMENT | {"start": "1"}]},
            r"'segments\[1\].start' is not a number",
        ),
        ({"segments": [SEGMENT | {"end": None}]}, r"'segments\[0\].end' is missing"),
        ({"segments": [SEGMENT | {"confidence": 2}]}, "is not between 0 and 1"),
        (
            {"segments": [SEGMENT | {"time_source": "guess"}]},
            "is not one of recognised, aligned, speech_reg",
        ),
        ({"words": [{"text": "train", "start": 0, "end": 1}]}, r"'words\[0\].word' is missing"),
        ({"words": [WORD | {"end": float("inf")}]}, "is not a finite number"),
        ({"warnings": ["careful"]}, "'warnings' contains something that is not an object"),
        ({"warnings": [{"code": "x"}]}, r"'warnings\[0\].sentence' is missing"),
    ],
)
def test_an_invalid_member_is_reported_by_its_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ServerError, match=message):
        read(**changes)


@patient
@given(transcripts())
def test_no_word_and_no_text_is_lost_between_writer_and_reader(written: Transcript) -> None:
    parsed = parse_transcript(
        json.loads(find_writer("verbose_json").write(written)), model="another"
    )
    assert [s.text for s in parsed.segments] == [encodable(s.text) for s in written.segments]
    assert sorted(w.text for w in parsed.words) == sorted(encodable(w.text) for w in written.words)
    assert (parsed.model, parsed.duration) == (written.model, round(written.duration, 3))
    for actual, expected in zip(parsed.segments, written.segments, strict=True):
        assert actual.start == pytest.approx(expected.start, abs=MILLISECOND)
        assert actual.end == pytest.approx(expected.end, abs=MILLISECOND)


@patient
@given(spoken())
def test_word_times_are_exact_to_the_millisecond(written: Transcript) -> None:
    parsed = parse_transcript(
        json.loads(find_writer("verbose_json").write(written)), model="another"
    )
    assert [w.text for w in parsed.words] == [w.text for w in written.words]
    for actual, expected in zip(parsed.words, written.words, strict=True):
        assert actual.start == pytest.approx(expected.start, abs=MILLISECOND)
        assert actual.end == pytest.approx(expected.end, abs=MILLISECOND)


def test_a_doubtful_segment_is_still_doubtful() -> None:
    told = {"avg_logprob": -0.5, "compression_ratio": 2.5, "no_speech_prob": 0.25}
    segments = [
        {**GOLDEN["segments"][0], **told, "doubtful": True, "doubt": "repeats\x1b itself"},
        {**GOLDEN["segments"][1], **told},
    ]
    doubtful, other = read(segments=segments).segments
    assert doubtful.doubt == "repeats itself"
    assert doubtful.decoding == Decoding(-0.5, 2.5, 0.25, 0.0)
    assert (other.doubt, other.decoding) == (None, None)  # it has no temperature
    written = json.loads(find_writer("verbose_json").write(read(segments=segments)))
    assert written["segments"][0]["doubtful"] is True
    assert written["segments"][0]["doubt"] == "repeats itself"
    assert "doubtful" not in written["segments"][1]


def test_the_probability_of_the_language_is_kept() -> None:
    assert read(language_probability=0.75).language_probability == 0.75
    with pytest.raises(ServerError, match="'language_probability' is not between 0 and 1"):
        read(language_probability=2)


@pytest.mark.parametrize("source", ["de", None])
def test_a_translation_has_the_language_of_the_speech(source: str | None) -> None:
    parsed = read(task="translate", language="english", source_language=source)
    assert (parsed.task, parsed.language) == ("translate", source)
    written = json.loads(find_writer("verbose_json").write(parsed))
    assert (written["task"], written["language"]) == ("translate", "en")
    assert written.get("source_language") == source
