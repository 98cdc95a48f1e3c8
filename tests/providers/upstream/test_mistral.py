"""Mistral's form and its answers: mistral-api.md 2."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tests.providers.upstream.asking import endpoint, question
from voxgate.providers.upstream.answer import UpstreamAnswer
from voxgate.providers.upstream.mistral import MISTRAL, MOST_BIASES, parse, render
from voxgate.transcript.values import Segment, Word

SECOND, THIRD = "voxtral-mini-2602", "voxtral-mini-transcribe-3"


def fields(model: str, **asked: Any) -> dict[str, Any]:
    request = render(question("mistral", model, **asked))
    assert (request.path, request.unused) == ("/audio/transcriptions", ())
    assert request.fields["model"] == model
    return {name: value for name, value in request.fields.items() if name != "model"}


@pytest.mark.parametrize(
    ("model", "times", "asked"),
    [
        (SECOND, "word", {"timestamp_granularities": ["word"]}),
        (SECOND, "segment", {"timestamp_granularities": ["segment"]}),
        (SECOND, "none", {}),
        (THIRD, "word", {"timestamp_granularities": ["segment"]}),  # `word` would be a 400
        ("voxtral-small-transcribe-latest", "word", {"timestamp_granularities": ["segment"]}),
        ("voxtral-mini-latest", "word", {"timestamp_granularities": ["word"]}),
    ],
)
def test_the_times_of_each_generation(model: str, times: Any, asked: dict[str, Any]) -> None:
    """A list is repeated without brackets."""
    assert fields(model, times=times) == asked
    assert MISTRAL.times(endpoint(kind="mistral", model=model)) == "segment"


@pytest.mark.parametrize("model", [SECOND, THIRD])
def test_a_language_excludes_times(model: str) -> None:
    assert fields(model, language="de", temperature=0.5) == {"language": "de", "temperature": "0.5"}


def test_entries_of_the_second_generation_have_no_space() -> None:
    """A phrase is its words, joined; what has no word is not sent, and said to be unused."""
    vocabulary = ("Voxtral", "Le Chat", "Smith,  John", "a\tb,c", "Le_Chat")
    asked = fields(SECOND, times="none", vocabulary=vocabulary)
    assert asked == {"context_bias": ["Voxtral", "Le_Chat", "Smith_John", "a_b_c"]}
    request = render(question("mistral", SECOND, times="none", vocabulary=("Voxtral", " , ")))
    assert request.fields["context_bias"] == ["Voxtral"]
    assert request.unused == ("vocabulary",)


def test_at_most_a_hundred_entries_are_sent() -> None:
    terms = tuple(f"term{number}" for number in range(MOST_BIASES + 1))
    request = render(question("mistral", SECOND, vocabulary=terms))
    assert request.fields["context_bias"] == list(terms[:100])
    assert request.unused == ("vocabulary",)
    assert render(question("mistral", SECOND, vocabulary=terms[:100])).unused == ()


def test_entries_of_the_third_generation_are_as_they_are() -> None:
    vocabulary = ("Le Chat", "Smith, John")
    assert fields(THIRD, times="none", vocabulary=vocabulary) == {"context_bias": list(vocabulary)}


def test_there_is_neither_a_prompt_nor_a_translation() -> None:
    options = MISTRAL.options(endpoint(kind="mistral", model=SECOND))
    assert options == {"language", "temperature", "vocabulary"}


BODY: dict[str, Any] = {
    "model": THIRD,
    "text": "Thanks for calling. Hello.",
    "language": None,
    "segments": [
        {
            "type": "transcription_segment",
            "text": "Thanks for calling.",
            "start": 0.0,
            "end": 1.6,
            "score": None,
            "speaker_id": "speaker_1",
        },
        {
            "type": "transcription_segment",
            "text": " Hello.",
            "start": 1.9,
            "end": 2.4,
            "score": 0.5,
            "speaker_id": "speaker_2",
        },
    ],
    "usage": {
        "prompt_tokens": 4,
        "completion_tokens": 21,
        "total_tokens": 400,
        "prompt_audio_seconds": 3,
    },
}
"""As in mistral-api.md 2.3."""


def read(body: object, model: str = THIRD, **asked: Any) -> UpstreamAnswer:
    return parse(json.dumps(body).encode(), question("mistral", model, **asked))


def test_an_answer_with_segments() -> None:
    assert read(BODY) == UpstreamAnswer(
        "Thanks for calling. Hello.",
        (
            Segment("Thanks for calling.", 0.0, 1.6),
            Segment(" Hello.", 1.9, 2.4, confidence=0.5),
        ),
        tokens=21,
        model=THIRD,
    )


def test_each_segment_is_a_word_where_words_were_asked_for() -> None:
    answer = read(BODY, SECOND, times="word")
    assert answer.segments == ()
    assert answer.words == (
        Word("Thanks for calling.", 0.0, 1.6),
        Word("Hello.", 1.9, 2.4, 0.5),
    )


def test_an_answer_without_times() -> None:
    body = {"model": SECOND, "text": "Hallo.", "language": "de", "segments": [], "usage": {}}
    answer = read(body, SECOND, times="word", language="de")
    assert answer == UpstreamAnswer("Hallo.", language="de", model=SECOND)


def test_times_may_be_null() -> None:
    segments = [{"text": "a", "start": None, "end": None}]
    (segment,) = read({"text": "a", "segments": segments}).segments
    assert math.isnan(segment.start)
    assert math.isnan(segment.end)
