"""OpenAI's models: each has a form of its own, by openai-api.md 1 to 5."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.providers.upstream.asking import endpoint, question
from voxgate.providers.upstream.answer import UpstreamAnswer
from voxgate.providers.upstream.openai import OPENAI, parse, render
from voxgate.transcript.values import Decoding, Segment

EVERYTHING = {
    "language": "de",
    "temperature": 0.5,
    "prompt": "A talk.",
    "vocabulary": ("Voxtral", "Le Chat"),
}


def fields(model: str, **asked: Any) -> dict[str, Any]:
    request = render(question("openai", model, **asked))
    assert request.path == "/audio/transcriptions"
    assert request.fields["model"] == model
    return {name: value for name, value in request.fields.items() if name != "model"}


def read(model: str, body: object, **asked: Any) -> UpstreamAnswer:
    return parse(json.dumps(body).encode(), question("openai", model, **asked))


def test_whisper_has_times() -> None:
    assert fields("whisper-1", **EVERYTHING) == {
        "language": "de",
        "temperature": "0.5",
        "prompt": "Voxtral, Le Chat. A talk.",
        "response_format": "verbose_json",
        "timestamp_granularities[]": ["segment", "word"],
    }
    assert fields("whisper-1", times="none") == {"response_format": "json"}


def test_whisper_alone_translates() -> None:
    """Its route has neither a language nor granularities, and its own language says nothing."""
    asked = question("openai", "whisper-1", task="translate", language="de", prompt="A talk.")
    request = render(asked)
    assert request.path == "/audio/translations"
    assert request.fields == {
        "model": "whisper-1",
        "response_format": "verbose_json",
        "prompt": "A talk.",
    }
    assert request.unused == ("language",)
    body = {
        "task": "translate",
        "language": "english",
        "duration": 1.5,
        "text": "Good day.",
        "segments": [
            {
                "id": 0,
                "start": 0.0,
                "end": 1.5,
                "text": " Good day.",
                "temperature": 0.0,
                "avg_logprob": -0.2,
                "compression_ratio": 0.8,
                "no_speech_prob": 0.01,
            }
        ],
    }
    segment = Segment(" Good day.", 0.0, 1.5, decoding=Decoding(-0.2, 0.8, 0.01, 0.0))
    assert parse(json.dumps(body).encode(), asked) == UpstreamAnswer("Good day.", (segment,))


@pytest.mark.parametrize("model", ["gpt-4o-transcribe", "gpt-4o-mini-transcribe-2025-12-15"])
def test_gpt_4o_writes_text_with_the_probabilities_of_its_tokens(model: str) -> None:
    assert fields(model, **EVERYTHING) == {
        "language": "de",
        "temperature": "0.5",
        "prompt": "Voxtral, Le Chat. A talk.",
        "response_format": "json",
        "include[]": ["logprobs"],
    }
    answer = read(
        model,
        {
            "text": "Hi",
            "logprobs": [{"token": "Hi", "bytes": [72, 105], "logprob": -0.02}],
            "usage": {
                "type": "tokens",
                "input_tokens": 14,
                "input_token_details": {"audio_tokens": 14, "text_tokens": 0},
                "output_tokens": 3,
                "total_tokens": 17,
            },
        },
    )
    assert (answer.text, answer.tokens) == ("Hi", 3)
    assert answer.confidence == pytest.approx(0.9802, abs=1e-4)


@pytest.mark.parametrize("logprobs", [None, [], [{"token": "Hi"}], [{"logprob": "nan"}]])
def test_without_probabilities_nothing_is_said(logprobs: object) -> None:
    body = {"text": "Hi", "logprobs": logprobs}
    assert read("gpt-4o-transcribe", body) == UpstreamAnswer("Hi")


def test_a_probability_is_at_most_one() -> None:
    body = {"text": "Hi", "logprobs": [{"logprob": 1e-9}, {"logprob": 5}]}
    assert read("gpt-4o-transcribe", body).confidence == 1.0


def test_gpt_transcribe_takes_candidates_because_it_ignores_a_language() -> None:
    assert fields("gpt-transcribe", **EVERYTHING) == {
        "languages[]": "de",
        "temperature": "0.5",
        "prompt": "A talk.",
        "keywords[]": ["Voxtral", "Le Chat"],
        "response_format": "json",
    }


@pytest.mark.parametrize(
    ("languages", "language"),
    [([{"code": "en"}], "en"), ([], None), ([{"code": "en"}, {"code": "de"}], None), (None, None)],
)
def test_languages_are_objects_and_several_are_none(languages: object, language: str) -> None:
    usage = {"type": "duration", "seconds": 8}
    body = {"text": "Good morning.", "languages": languages, "usage": usage}
    assert read("gpt-transcribe", body) == UpstreamAnswer("Good morning.", language=language)


def test_diarising_has_segments_and_needs_a_strategy() -> None:
    """Above 30 s it refuses to go without one; it takes no prompt."""
    model = "gpt-4o-transcribe-diarize"
    assert OPENAI.options(endpoint(kind="openai", model=model)) == {"language", "temperature"}
    assert fields(model, language="de") == {
        "language": "de",
        "response_format": "diarized_json",
        "chunking_strategy": "auto",
    }
    answer = read(
        model,
        {
            "task": "transcribe",
            "duration": 3.1,
            "text": "Hello. Hi.",
            "segments": [
                {
                    "type": "transcript.text.segment",
                    "id": "seg_001",
                    "start": 0.0,
                    "end": 1.2,
                    "text": "Hello.",
                    "speaker": "agent",
                },
                {"id": "seg_002", "start": 1.6, "end": 2.4, "text": "Hi.", "speaker": "A"},
            ],
            "usage": {"type": "duration", "seconds": 4},
        },
    )
    assert answer.segments == (Segment("Hello.", 0.0, 1.2), Segment("Hi.", 1.6, 2.4))


@pytest.mark.parametrize(
    ("model", "times"),
    [
        ("whisper-1", "word"),
        ("gpt-4o-transcribe", "none"),
        ("gpt-transcribe", "none"),
        ("gpt-4o-transcribe-diarize", "segment"),
    ],
)
def test_the_finest_times_of_each_model(model: str, times: str) -> None:
    at = endpoint(kind="openai", model=model)
    assert OPENAI.times(at) == times
    assert ("task" in OPENAI.options(at)) == (model == "whisper-1")
