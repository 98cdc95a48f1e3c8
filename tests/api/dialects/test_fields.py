"""The table of fields is what requests are parsed by: nothing is in one and not in the other."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from tests.failures import raises
from voxgate.api.body.request_body import RequestBody, Upload
from voxgate.api.dialects.fields import FIELDS, SPEAKER_FIELDS
from voxgate.api.dialects.negotiate import negotiate
from voxgate.api.dialects.parse import parse_request
from voxgate.api.dialects.provider_preferences import ProviderPreferences
from voxgate.api.dialects.wire import InputAudio, TranscriptionRequest
from voxgate.models.capabilities import HINT_OPTIONS, STRICT_OPTIONS, Capabilities

if TYPE_CHECKING:
    from pydantic import BaseModel

    from voxgate.api.dialects.negotiate import ParsedRequest

PLAIN = Capabilities(30.0, ("en", "de"), "word")
KINDS = {field.name: field.kind for field in FIELDS}
VALUES: dict[str, Any] = {
    **dict.fromkeys(SPEAKER_FIELDS, True),
    "include": ["logprobs"],
    **dict.fromkeys(("max_tokens", "beam_size", "frequency_penalty", "presence_penalty"), 1),
    "stop": "end",
    "temperature": 0.5,
    "top_p": 0.5,
    "seed": 1,
    **dict.fromkeys(("prompt", "keyterms", "keywords", "context_bias", "hotwords"), "Voxgate"),
    "languages": ["en", "de"],
    "trace": {"trace_id": "1"},
    "metadata": {"a": "b"},
    "chunking_strategy": {"type": "server_vad", "threshold": 0.5},
}
"""Values with an effect, of fields that a model without any option cannot fulfil."""


def unused(**fields: Any) -> tuple[str, ...]:
    """Return the fields without effect, for a model that has no option."""
    return negotiate(parsed(**fields), PLAIN).unused


def parsed(**fields: Any) -> ParsedRequest:
    body = RequestBody({"model": "a/b", **fields}, Upload(io.BytesIO(), 0, ""), "form")
    return parse_request(body)


def test_every_field_that_is_parsed_is_in_the_table_once() -> None:
    nested: dict[str, type[BaseModel]] = {
        "input_audio": InputAudio,
        "provider": ProviderPreferences,
    }
    parsed = set(TranscriptionRequest.model_fields) - set(nested)
    for name, model in nested.items():
        parsed |= {f"{name}.{field}" for field in model.model_fields}
    assert parsed <= set(KINDS)
    assert len(KINDS) == len(FIELDS)


def test_what_a_field_needs_exists() -> None:
    known = {*STRICT_OPTIONS, *HINT_OPTIONS, *Capabilities.__dataclass_fields__, ""}
    assert {field.needs for field in FIELDS} <= known


@pytest.mark.parametrize("name", VALUES)
def test_a_promise_that_cannot_be_kept_is_refused_and_a_hint_is_named(name: str) -> None:
    if KINDS[name] == "promise":
        with raises("unsupported_option", match=f"'{name}'"):
            unused(**{name: VALUES[name]})
    else:
        (named,) = unused(**{name: VALUES[name]})
        assert named.partition(".")[0] == name


@pytest.mark.parametrize(
    "fields",
    [
        {"chunking_strategy": "auto"},
        {"chunking_strategy": {"type": "server_vad"}},
        {"diarize": False, "known_speaker_names": [], "include": []},
        {"provider": {"order": ["openai"], "sort": "price", "max_price": {"audio": 1}}},
        {"provider": {"only": ["Local"], "ignore": ["openai"], "zdr": True}},
    ],
)
def test_what_happens_anyway_gives_no_warning(fields: dict[str, Any]) -> None:
    assert unused(**fields) == ()


def test_a_single_one_of_languages_is_the_language() -> None:
    assert parsed(languages="German").options.language == "de"
    assert parsed(languages=["de", "de"], language="en").options.language == "en"
    assert unused(languages=["de"], language="en") == ("languages",)


def test_options_below_the_providers_own_name_count_as_the_requests() -> None:
    own = {"prompt": "A talk.", "hotwords": ["Voxgate"], "language": "de", "file_id": "f", "x": 1}
    request = parsed(provider={"options": {"local": own}}, language="en")
    assert (request.options.prompt, request.options.language) == ("A talk.", "en")
    assert request.options.vocabulary == ("Voxgate",)
    assert request.unused == ("provider.options.local.file_id", "provider.options.local.x")


def test_what_is_null_beside_them_counts_as_left_out() -> None:
    request = parsed(provider={"options": {"local": {"language": "de"}}}, language=None)
    assert request.options.language == "de"


def test_promises_below_the_providers_own_name_are_promises() -> None:
    own = {"known_speaker_names": ["A"]}
    with raises("unsupported_option", match="'known_speaker_names'"):
        unused(provider={"options": {"local": own}})


def test_a_chunking_strategy_in_a_form_may_be_json_text() -> None:
    assert unused(chunking_strategy='{"type": "server_vad"}') == ()
    with raises("invalid_request", match="'chunking_strategy'"):
        unused(chunking_strategy='{"type": ')
