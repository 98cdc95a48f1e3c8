"""The fields of other speech servers: all of them are in the table, and do what it says."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from tests.failures import raises
from voxgate.api.body.request_body import RequestBody, Upload
from voxgate.api.dialects.asr_webservice import (
    FORMATS,
    AsrQuery,
    DetectionQuery,
    parse_asr,
    parse_detection,
)
from voxgate.api.dialects.fields import ASR_WEBSERVICE, WHISPER_CPP
from voxgate.api.dialects.whisper_cpp import REFUSED, InferenceForm, parse_inference

if TYPE_CHECKING:
    from voxgate.api.dialects.negotiate import ParsedRequest

ON: dict[str, Any] = {
    "task": "translate",
    "language": "jw",
    "output": "tsv",
    "initial_prompt": "A talk.",
    "prompt": "A talk.",
    "response_format": "srt",
    "temperature": "0.5",
    "temperature_inc": "0.4",
    "beam_size": "5",
    "video_file": "film.mkv",
    "model": "a/b",
    "encode": "false",
    "token_timestamps": "false",
}
"""A value other than the default of each field that is no flag."""


def form(**fields: Any) -> RequestBody:
    return RequestBody(fields, Upload(io.BytesIO(), 10, "", "a.wav"), "form")


def asr(**query: str) -> ParsedRequest:
    return parse_asr(form(), query)


def inference(**fields: str) -> ParsedRequest:
    return parse_inference(form(**fields))


def test_every_field_that_is_parsed_is_in_its_table_once() -> None:
    assert sorted(f.name for f in ASR_WEBSERVICE) == sorted([*AsrQuery.model_fields, "audio_file"])
    assert sorted(f.name for f in WHISPER_CPP) == sorted([*InferenceForm.model_fields, "file"])
    assert DetectionQuery.model_fields.keys() < AsrQuery.model_fields.keys()
    documented = " ".join(f.effect for f in ASR_WEBSERVICE if f.name == "output")
    assert all(f"`{name}`" in documented for name in FORMATS)


@pytest.mark.parametrize("field", [*ASR_WEBSERVICE, *WHISPER_CPP], ids=lambda field: field.name)
def test_a_default_changes_nothing_and_a_promise_something(field: Any) -> None:
    if field.name in {"audio_file", "file", *REFUSED}:
        return
    parse = asr if field in ASR_WEBSERVICE else inference
    base = (
        {}
        if field.name not in {"token_timestamps", "no_timestamps"}
        else {"response_format": "verbose_json"}
    )
    if field.name == "word_timestamps":
        base = {"output": "json"}
    plain, with_field = parse(**base), parse(**base, **{field.name: ON.get(field.name, "true")})
    assert (plain == with_field) is (field.kind == "default"), field.name
    assert with_field.unused == (("temperature_inc",) if field.name == "temperature_inc" else ())


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_model_does_is_refused_by_its_name(name: str) -> None:
    with raises("unsupported_option", match=f"'{name}'"):
        inference(**{name: "1"})
    assert inference(**{name: "0"}) == inference()


def test_whisper_cpps_own_step_of_temperature_is_ours() -> None:
    assert inference(temperature_inc="0.2") == inference()
    assert inference(temperature_inc="0").unused == ("temperature_inc",)


def test_the_names_and_codes_of_languages_are_those_of_whisper() -> None:
    assert [asr(language=name).options.language for name in ("jw", "zh", "english")] == [
        *("jv", "zh", "en"),
    ]
    assert inference(language="auto").options.language is None


def test_no_field_of_the_three_dialects_gets_through() -> None:
    others = {"stream": "true", "file_url": "http://a/b", "max_tokens": "1", "seed": "1"}
    for parsed in (asr(**others), inference(**others), parse_detection(form(), others, "a/b")):
        assert parsed.events is None
        assert parsed.url is None
        assert parsed.options.seed is None
        assert set(parsed.unused) == set(others)


def test_a_form_beside_the_address_has_no_effect() -> None:
    assert parse_asr(form(task="translate"), {}).unused == ("task",)


def test_whether_a_recording_has_a_header_is_said_and_not_guessed() -> None:
    assert asr(encode="true").pcm is None
    declared = asr(encode="false").pcm
    assert declared is not None
    assert (declared.encoding, declared.rate, declared.channels) == ("s16le", 16_000, 1)


def test_another_body_has_no_recording() -> None:
    body = RequestBody({}, Upload(io.BytesIO(), 10, ""), "json")
    with raises("invalid_request", match="'audio_file'"):
        parse_asr(body, {})
    with raises("invalid_request", match="'file'"):
        parse_inference(body)
