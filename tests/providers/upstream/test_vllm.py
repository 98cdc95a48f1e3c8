"""vLLM's form and its answers: openai-api.md 10."""

from __future__ import annotations

import json

import pytest

from tests.providers.upstream.asking import endpoint, question
from voxgate.providers.upstream.answer import UpstreamAnswer
from voxgate.providers.upstream.vllm import VLLM, render
from voxgate.transcript.values import Segment

VOXTRAL = "mistralai/Voxtral-Mini-3B-2507"


def test_a_model_without_times_is_not_asked_for_them() -> None:
    """It would refuse `verbose_json`, with a 400."""
    asked = question(
        "vllm",
        VOXTRAL,
        times=VLLM.times(endpoint(kind="vllm", model=VOXTRAL)),
        language="de",
        temperature=1.2,
        top_p=0.9,
        seed=7,
        vocabulary=("Voxtral", "Le Chat"),
    )
    assert render(asked).fields == {
        "model": VOXTRAL,
        "language": "de",
        "temperature": "1.2",
        "response_format": "json",
        "top_p": "0.9",
        "seed": "7",
        "hotwords": "Voxtral, Le Chat",
    }
    body = {"text": "Hallo.", "usage": {"type": "duration", "seconds": 4}}
    assert VLLM.parse(json.dumps(body).encode(), asked) == UpstreamAnswer("Hallo.")


def test_whisper_has_segments_and_a_prompt() -> None:
    at = endpoint(kind="vllm", model="openai/whisper-large-v3")
    assert VLLM.times(at) == "segment"
    assert {"prompt", "task"} <= VLLM.options(at)
    asked = question("vllm", at.upstream_model, times="segment", prompt="A talk.")
    assert render(asked).fields == {
        "model": "openai/whisper-large-v3",
        "response_format": "verbose_json",
        "timestamp_granularities[]": ["segment"],
        "prompt": "A talk.",
    }
    body = {
        "duration": "1.5",
        "language": "en",
        "text": "Hi.",
        "segments": [
            {
                "id": 0,
                "avg_logprob": -0.2,
                "compression_ratio": 0.8,
                "end": 1.5,
                "no_speech_prob": None,
                "seek": 0,
                "start": 0.0,
                "temperature": 0.0,
                "text": " Hi.",
                "tokens": [1],
            }
        ],
        "words": None,
    }
    answer = VLLM.parse(json.dumps(body).encode(), asked)
    assert answer == UpstreamAnswer("Hi.", (Segment(" Hi.", 0.0, 1.5),), language="en")


def test_whisper_translates_by_its_route() -> None:
    """Its form has a language, without which the speech would be taken for English."""
    asked = question(
        *("vllm", "whisper-large-v3"),
        times="segment",
        task="translate",
        language="de",
        top_p=0.5,
        seed=7,
        vocabulary=("Voxtral",),
    )
    request = render(asked)
    assert request.path == "/audio/translations"
    assert request.fields == {
        "model": "whisper-large-v3",
        "language": "de",
        "response_format": "verbose_json",
        "seed": "7",
    }
    assert request.unused == ("top_p", "vocabulary")


@pytest.mark.parametrize("option", ["prompt", "task", "stop", "max_tokens", "beam_size"])
def test_voxtral_takes_no_prompt_and_does_not_translate(option: str) -> None:
    assert option not in VLLM.options(endpoint(kind="vllm", model=VOXTRAL))
