"""What models elsewhere can do, by the kind of upstream and their names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.failures import raises
from tests.providers.upstream.asking import endpoint
from voxgate.providers.upstream.capabilities import upstream_capabilities
from voxgate.transcript.values import Options


@pytest.mark.parametrize(
    ("kind", "model", "facts"),
    [
        ("openai", "whisper-1", {"times": "word", "translates": True, "names_language": True}),
        ("openai", "gpt-4o-transcribe", {"times": "none", "names_language": False}),
        ("compatible", "whisper-large-v3-turbo", {"times": "word", "translates": False}),
        ("vllm", "whisper-large-v3", {"detects_language": False, "window_s": 30.0}),
        ("vllm", "mistralai/Voxtral-Mini-3B-2507", {"times": "none", "detects_language": True}),
        ("mistral", "voxtral-mini-2602", {"times": "segment", "names_language": False}),
        ("openrouter", "mistralai/voxtral-mini-transcribe", {"times": "none", "window_s": 60.0}),
        ("openrouter", "openai/whisper-1", {"vocabulary": False, "margin_s": 5.0}),
    ],
)
def test_what_each_kind_can_do(kind: Any, model: str, facts: dict[str, Any]) -> None:
    found = upstream_capabilities(endpoint(kind=kind, model=model, concurrency=7), ("en", "de"))
    assert {name: getattr(found, name) for name in facts} == facts
    assert (found.concurrency, found.languages, found.aligns) == (7, ("en", "de"), False)


def test_what_an_endpoint_says_counts_first() -> None:
    own = replace(endpoint(max_s=20.0), languages=("fr",), times="segment", window_s=45.0)
    found = upstream_capabilities(own, ("en",))
    assert (found.languages, found.times, found.window_s) == (("fr",), "segment", 20.0)


def test_options_are_those_that_a_request_can_carry() -> None:
    found = upstream_capabilities(endpoint(kind="mistral", model="voxtral-mini-2602"), ("en",))
    options = Options(temperature=0.5, prompt="A talk.", vocabulary=("Voxtral",), stop=("end",))
    found.check("a/b", options)
    assert found.honoured(options)[1] == ("prompt",)
    for refused in (Options(max_tokens=5), Options(task="translate"), Options(beam_size=5)):
        with raises("unsupported_option"):
            found.check("a/b", refused)
    with raises("unsupported_language"):
        found.check("a/b", Options(language="fr"))
