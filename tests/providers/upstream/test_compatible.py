"""OpenAI's routes as other servers have them: requests, and answers with more or less in them."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest

from tests.providers.upstream.asking import endpoint, question
from voxgate.providers.upstream.answer import UpstreamAnswer
from voxgate.providers.upstream.compatible import COMPATIBLE, parse, render
from voxgate.transcript.values import Decoding, Segment, Word

BOTH = ["segment", "word"]
VERBOSE = {"response_format": "verbose_json", "timestamp_granularities[]": BOTH}


def read(body: object, **asked: Any) -> UpstreamAnswer:
    return parse(json.dumps(body).encode(), question(**asked))


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({}, VERBOSE),
        ({"times": "segment"}, VERBOSE | {"timestamp_granularities[]": ["segment"]}),
        ({"times": "none"}, {"response_format": "json"}),
        ({"language": "German", "temperature": 0.25}, VERBOSE | {"language": "de"}),
        ({"prompt": "A talk."}, VERBOSE | {"prompt": "A talk."}),
        ({"vocabulary": ("Voxtral", "Le Chat")}, VERBOSE | {"prompt": "Voxtral, Le Chat."}),
        (
            {"vocabulary": ("Voxtral",), "prompt": "A talk."},
            VERBOSE | {"prompt": "Voxtral. A talk."},
        ),
    ],
)
def test_a_form(asked: dict[str, Any], fields: dict[str, Any]) -> None:
    if "temperature" in asked:
        fields = fields | {"temperature": "0.25"}
    request = render(question(**asked))
    assert request.path == "/audio/transcriptions"
    assert request.fields == {"model": "whisper-large-v3"} | fields
    assert (request.document, request.unused) == (None, ())


def test_a_temperature_above_openai_s_range_is_its_highest() -> None:
    assert render(question(temperature=1.5)).fields["temperature"] == "1"


def test_a_translation_has_its_route() -> None:
    """It has no language that all servers agree about."""
    request = render(question(task="translate", language="de"))
    assert request.path == "/audio/translations"
    assert request.fields == {"model": "whisper-large-v3"} | VERBOSE
    assert request.unused == ("language",)


@pytest.mark.parametrize(
    ("model", "translates"),
    [
        ("whisper-large-v3", True),
        ("openai/Whisper-1", True),
        ("whisper-large-v3-turbo", False),
        ("distil-whisper-large-v3-en", False),
        ("Systran/faster-whisper-base.en", False),
        ("voxtral-mini", False),
    ],
)
def test_whispers_of_all_tasks_translate(model: str, translates: bool) -> None:
    assert ("task" in COMPATIBLE.options(endpoint(model=model))) == translates
    assert COMPATIBLE.times(endpoint(model=model)) == "word"


def test_openai_s_verbose_answer() -> None:
    """As in openai-api.md 3.2."""
    answer = read(
        {
            "task": "transcribe",
            "language": "english",
            "duration": 1.5,
            "text": "Good morning.",
            "segments": [
                {
                    "id": 0,
                    "seek": 0,
                    "start": 0.0,
                    "end": 1.5,
                    "text": " Good morning.",
                    "tokens": [50364, 2205],
                    "temperature": 0.0,
                    "avg_logprob": -0.2,
                    "compression_ratio": 0.8,
                    "no_speech_prob": 0.01,
                }
            ],
            "words": [
                {"word": "Good", "start": 0.1, "end": 0.4},
                {"word": "morning", "start": 0.4, "end": 0.9},
            ],
            "usage": {"type": "duration", "seconds": 2},
        }
    )
    assert answer == UpstreamAnswer(
        "Good morning.",
        (Segment(" Good morning.", 0.0, 1.5, decoding=Decoding(-0.2, 0.8, 0.01, 0.0)),),
        (Word("Good", 0.1, 0.4), Word("morning", 0.4, 0.9)),
        language="english",
    )


def test_voxgate_says_where_times_come_from() -> None:
    answer = read(
        {
            "text": "Hi",
            "model": "a/b",
            "language": "en",
            "usage": {"type": "duration", "seconds": 1.0, "output_tokens": 7},
            "segments": [
                {
                    "text": "Hi",
                    "start": 0.0,
                    "end": 1.0,
                    "time_source": "speech_region",
                    "confidence": 0.5,
                    "doubt": "is unlikely",
                    "avg_logprob": -0.69,
                },
                {"text": "Hm", "start": 1, "end": 2, "doubt": "anything", "time_source": "new"},
            ],
            "words": [{"word": "Hi", "start": 0, "end": 1, "time_source": "interpolated"}],
        }
    )
    first, second = answer.segments
    assert (first.time_source, first.confidence, first.doubt) == (
        "speech_region",
        0.5,
        "is unlikely",
    )
    assert (second.time_source, second.doubt, second.decoding) == ("recognised", None, None)
    assert answer.words[0].time_source == "interpolated"
    assert (answer.model, answer.tokens) == ("a/b", 7)


def test_a_translation_names_the_language_of_the_speech_where_it_is_told() -> None:
    """`language` is that of the text."""
    body = {"text": "Good day.", "language": "english"}
    assert read(body, task="translate").language is None
    assert read(body | {"source_language": "de"}, task="translate").language == "de"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"segments": None, "words": None, "language": None, "usage": None, "model": None},
        {"segments": [], "words": [], "language": "", "usage": {}},
        {"duration": "1.5", "usage": "none", "x_groq": {"id": "req_1"}, "task": 5},
        {"usage": {"output_tokens": "many"}},
        {"usage": {"output_tokens": -1}},
        {"usage": {"output_tokens": 2.5}},
    ],
)
def test_the_text_is_enough(more: dict[str, Any]) -> None:
    answer = read({"text": "Hi"} | more)
    assert (answer.text, answer.segments, answer.words, answer.tokens) == ("Hi", (), (), 0)


def test_what_is_missing_or_written_as_text_is_read() -> None:
    answer = read(
        {
            "text": "a b",
            "segments": [{"start": "0.5", "end": None}, {"no_speech_prob": None, "tokens": "x"}],
            "words": [
                {"text": "a", "start": "1e0", "end": 2},
                {"word": "b", "confidence": 7},
                {"word": "c", "start": "nan", "end": "-inf"},
            ],
        }
    )
    assert answer.segments[0].start == 0.5
    assert math.isnan(answer.segments[0].end)
    assert [(word.text, word.confidence) for word in answer.words] == [
        ("a", None),
        ("b", None),
        ("c", None),
    ]
    assert answer.words[0].start == 1.0


@pytest.mark.parametrize(
    "body",
    [
        {"text": None},
        {"text": 5},
        {"text": "a", "segments": {}},
        {"text": "a", "segments": ["a"]},
        {"text": "a", "words": [{"word": "a", "start": "soon"}]},
        {"text": "a", "words": [{"word": "a", "start": True}]},
        {"text": "a", "words": [{"word": "a", "start": [1]}]},
        {"text": "a", "language": 5},
    ],
)
def test_what_means_nothing_is_malformed(body: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(body)


def test_numbers_that_are_not_finite_are_no_facts_of_whisper() -> None:
    facts = {"avg_logprob": "nan", "compression_ratio": 1, "no_speech_prob": 0, "temperature": 0}
    assert read({"text": "a", "segments": [facts]}).segments[0].decoding is None
