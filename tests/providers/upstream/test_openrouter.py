"""OpenRouter's document: openrouter-api.md 2."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.providers.upstream.asking import endpoint, question
from voxgate.providers.upstream.answer import UpstreamAnswer
from voxgate.providers.upstream.openrouter import OPENROUTER, render
from voxgate.transcript.values import Word

VOXTRAL = "mistralai/voxtral-mini-transcribe"
SOUND = {"data": "ZkxhQw==", "format": "flac"}  # plain base64: a data URI is refused


def document(model: str = VOXTRAL, **asked: Any) -> dict[str, Any]:
    request = render(question("openrouter", model, **asked))
    assert (request.path, request.fields) == ("/audio/transcriptions", {})
    body: dict[str, Any] = json.loads(request.document or b"")
    return body


def test_a_host_without_times_is_asked_for_json() -> None:
    """One that does not speak OpenAI's dialect refuses `verbose_json`."""
    assert document(times="none", language="de", temperature=0.5) == {
        "model": VOXTRAL,
        "input_audio": SOUND,
        "response_format": "json",
        "language": "de",
        "temperature": 0.5,
    }


@pytest.mark.parametrize(
    ("times", "asked"), [("word", ["segment", "word"]), ("segment", ["segment"])]
)
def test_times_are_asked_for(times: Any, asked: list[str]) -> None:
    assert document("openai/whisper-large-v3", times=times) == {
        "model": "openai/whisper-large-v3",
        "input_audio": SOUND,
        "response_format": "verbose_json",
        "timestamp_granularities": asked,
    }


@pytest.mark.parametrize(
    ("upstream", "provider"),
    [
        ({}, None),
        ({"collects_data": False}, {"data_collection": "deny"}),
        ({"zero_retention": True}, {"zdr": True}),
        (
            {"collects_data": False, "zero_retention": True},
            {"data_collection": "deny", "zdr": True},
        ),
    ],
)
def test_what_the_operator_says_of_privacy_is_asked_for(
    upstream: dict[str, Any], provider: dict[str, Any] | None
) -> None:
    assert document(times="none", upstream=upstream).get("provider") == provider


def test_a_temperature_above_its_range_is_its_highest() -> None:
    assert document(times="none", temperature=1.5)["temperature"] == 1.0


def test_what_a_model_cannot_do_is_not_known_so_nothing_is_asked_that_may_be_refused() -> None:
    assert OPENROUTER.options(endpoint(kind="openrouter", model=VOXTRAL)) == {
        "language",
        "temperature",
    }
    assert OPENROUTER.times(endpoint(kind="openrouter", model=VOXTRAL)) == "none"
    assert OPENROUTER.times(endpoint(kind="openrouter", model="openai/whisper-1")) == "word"


def test_its_answers() -> None:
    """As in openrouter-api.md 2.3 and 11.6: the text alone is required."""
    usage = {
        "seconds": 9.2,
        "input_tokens": 83,
        "output_tokens": 30,
        "total_tokens": 113,
        "cost": 0.000508,
    }
    plain: dict[str, Any] = {"text": "Hello, this is a test.", "usage": usage}
    asked = question("openrouter", VOXTRAL, times="none")
    assert OPENROUTER.parse(json.dumps(plain).encode(), asked) == UpstreamAnswer(
        plain["text"], tokens=30
    )
    verbose = {
        "text": "hello",
        "task": "transcribe",
        "language": "zh",
        "duration": 1.52,
        "words": [
            {
                "word": "hello",
                "start": 0.1,
                "end": 0.6,
                "speaker": 0,
                "speaker_label": "speaker_0",
                "type": "word",
                "confidence": 0.5,
            }
        ],
    }
    answer = OPENROUTER.parse(
        json.dumps(verbose).encode(), question("openrouter", "openai/whisper-1")
    )
    assert answer == UpstreamAnswer("hello", words=(Word("hello", 0.1, 0.6, 0.5),), language="zh")
