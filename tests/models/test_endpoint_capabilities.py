"""What a model can do elsewhere: by what the file says, the kind of server and the model's name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.models.endpoint_capabilities import VOXTRAL_LANGUAGES, capabilities_of
from voxgate.providers.upstream.dialects import DIALECTS
from voxgate.upstreams import Endpoint, Upstream, UpstreamKind
from voxgate.whisper.languages import MULTILINGUAL

if TYPE_CHECKING:
    from voxgate.upstreams import SoundFormat

UPSTREAM = Upstream("p", "compatible", "http://localhost:1/v1")


def endpoint(kind: UpstreamKind, model: str) -> Endpoint:
    return Endpoint(f"owner/{model}", replace(UPSTREAM, kind=kind), model)


@pytest.mark.parametrize(
    ("kind", "model", "times", "names_language", "translates"),
    [
        ("openai", "whisper-1", "word", True, True),
        ("openai", "gpt-4o-transcribe", "none", False, False),
        ("openai", "gpt-4o-transcribe-diarize", "segment", False, False),
        ("compatible", "whisper-large-v3", "word", True, True),
        ("compatible", "whisper-large-v3-turbo", "word", True, False),
        ("compatible", "parakeet-tdt", "none", False, False),
        ("vllm", "openai/whisper-large-v3", "segment", False, True),
        ("vllm", "mistralai/Voxtral-Mini-3B-2507", "none", False, False),
        ("mistral", "voxtral-mini-latest", "segment", False, False),
        ("openrouter", "openai/whisper-1", "word", True, False),
        ("openrouter", "openai/whisper-large-v3", "none", False, False),
    ],
)
def test_a_kind_of_server_and_a_model_have_known_abilities(
    kind: UpstreamKind, model: str, times: str, *, names_language: bool, translates: bool
) -> None:
    can = capabilities_of(endpoint(kind, model))
    assert (can.times, can.names_language, can.translates) == (times, names_language, translates)
    assert can.vocabulary == (kind != "openrouter" and "diarize" not in model)
    with_prompt = kind in {"openai", "compatible"} or (kind, times) == ("vllm", "segment")
    assert ("prompt" in can.options) == (can.vocabulary and with_prompt)
    assert can.detects_language == ((kind, times) != ("vllm", "segment"))  # it assumes English
    assert "temperature" in can.options
    assert {can.aligns, can.speakers, can.streaming, can.counts_tokens} == {False}
    assert can.window_s == {"openrouter": 60.0, "vllm": 30.0}.get(kind, 120.0)
    assert can.concurrency == 4
    assert can.margin_s == (5.0 if "whisper" in model else 0.0)  # as of a Whisper here


def test_what_the_file_says_comes_first() -> None:
    said = replace(
        endpoint("openrouter", "whisper"), languages=("de",), times="segment", window_s=30.0
    )
    can = capabilities_of(replace(said, upstream=replace(UPSTREAM, concurrency=9)))
    assert (can.languages, can.times, can.window_s) == (("de",), "segment", 30.0)
    assert (can.concurrency, can.detects_language) == (9, False)


@pytest.mark.parametrize(
    ("model", "languages"),
    [
        ("whisper-large-v3", MULTILINGUAL),
        ("whisper-small.en", ("en",)),
        ("distil-whisper-large-v3-en", ("en",)),
        ("Voxtral-Mini-3B-2507", VOXTRAL_LANGUAGES),
        ("gpt-transcribe", MULTILINGUAL),
    ],
)
def test_languages_are_those_of_the_family(model: str, languages: tuple[str, ...]) -> None:
    can = capabilities_of(endpoint("compatible", model))
    assert (can.languages, can.detects_language) == (languages, len(languages) > 1)


TIMES = ("none", "segment", "word")


@pytest.mark.parametrize("kind", get_args(UpstreamKind))
@pytest.mark.parametrize(
    "model",
    [
        *("whisper-1", "openai/whisper-1", "openai/whisper-large-v3", "whisper-large-v3-turbo"),
        *("distil-whisper-large-v3-en", "gpt-transcribe", "gpt-4o-transcribe", "parakeet-tdt"),
        *("gpt-4o-transcribe-diarize", "voxtral-mini-latest", "voxtral-mini-transcribe-latest"),
    ],
)
def test_what_is_promised_can_be_asked_of_such_a_server(kind: UpstreamKind, model: str) -> None:
    asked = endpoint(kind, model)
    can, dialect = capabilities_of(asked), DIALECTS[kind]
    assert "stop" in can.options  # which is found in the answer
    promised = {
        *can.options - {"stop"},
        *(["vocabulary"] * can.vocabulary),
        *(["task"] * can.translates),
    }
    assert promised <= dialect.options(asked)
    assert TIMES.index(can.times) <= TIMES.index(dialect.times(asked))


FORMATS: list[tuple[SoundFormat, ...]] = [("wav",), ("flac", "wav"), ("ogg",), ("wav", "mp3")]


@given(
    st.integers(2**16, 2**27),
    st.floats(1, 4000),
    st.none() | st.floats(1, 4000),
    st.sampled_from(FORMATS),
)
def test_a_window_fits_into_a_request(
    max_bytes: int, max_s: float, window_s: float | None, formats: tuple[SoundFormat, ...]
) -> None:
    upstream = replace(UPSTREAM, max_bytes=max_bytes, max_s=max_s, formats=formats)
    longest = capabilities_of(Endpoint("a/b", upstream, "c", window_s=window_s)).window_s
    assert 0 < longest <= min(max_s, window_s or 120.0)
    if {"wav", "flac"} >= set(formats):  # noise in FLAC takes as many bytes
        assert 44 + longest * 32_000 <= max_bytes
