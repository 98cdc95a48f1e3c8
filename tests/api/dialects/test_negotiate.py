"""Parsing and negotiating requests, without a server and without a model."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.failures import raises
from voxgate.api.body.request_body import RequestBody, Upload
from voxgate.api.dialects.negotiate import negotiate
from voxgate.api.dialects.parse import parse_request
from voxgate.errors import UsageError
from voxgate.models.capabilities import HINT_OPTIONS, STRICT_OPTIONS, Capabilities
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from voxgate.api.dialects.negotiate import ParsedRequest

ABLE = Capabilities(30.0, ("en",), "none", options=frozenset({*STRICT_OPTIONS, *HINT_OPTIONS}))
UNABLE = Capabilities(30.0, ("en",), "word")
EVERYTHING: dict[str, Any] = {
    "language": "en-GB",
    "temperature": 0.5,
    "top_p": 0.9,
    "seed": -7,
    "max_tokens": 9,
    "stop": ["end", "fin"],
    "frequency_penalty": 1,
    "presence_penalty": -1,
    "beam_size": "3",
    "prompt": "A talk of Voxgate, by Ada.",
}
NOTHING: dict[str, Any] = {
    "temperature": 0,
    "top_p": 1,
    "seed": None,
    "max_tokens": None,
    "stop": [],
    "frequency_penalty": 0,
    "presence_penalty": 0.0,
    "structured_outputs": False,
    "prompt": " \n",
    "keyterms": [],
    "keywords": [""],
    "context_bias": None,
}


def parsed(**fields: Any) -> ParsedRequest:
    return parse_request(
        RequestBody({"model": "a/b", **fields}, Upload(io.BytesIO(), 0, ""), "form")
    )


@pytest.mark.parametrize("language", ["en", "EN", "eng", "en-US", "en_US", "English"])
def test_a_language_is_named_in_any_spelling(language: str) -> None:
    assert parsed(language=language).options == Options("en")


def test_a_capable_model_gets_all_options() -> None:
    negotiated = negotiate(parsed(**EVERYTHING, provider={"require_parameters": True}), ABLE)
    assert negotiated.options == Options(
        "en", 0.5, 0.9, -7, 9, ("end", "fin"), 1.0, -1.0, prompt=EVERYTHING["prompt"], beam_size=3
    )
    assert negotiated.hints == ()


@pytest.mark.parametrize("text", ["end", "[end", "the end, my friend", "[" * 30_000])
def test_a_stop_may_be_a_single_string(text: str) -> None:
    assert negotiate(parsed(stop=text), ABLE).options == Options(stop=(text,))


def test_values_without_effect_are_accepted_for_all_models() -> None:
    negotiated = negotiate(parsed(**NOTHING, provider={"require_parameters": True}), UNABLE)
    assert (negotiated.options, negotiated.hints) == (Options(), ())


@pytest.mark.parametrize("name", STRICT_OPTIONS)
def test_an_option_that_the_model_cannot_fulfil_is_refused(name: str) -> None:
    request = parsed(**{name: EVERYTHING[name]})
    sentence = f"a/b cannot fulfil '{name}'. Leave it out, or ask another model."
    with raises("unsupported_option") as caught:
        negotiate(request, UNABLE)
    assert caught.value.sentence == sentence


@pytest.mark.parametrize("name", HINT_OPTIONS)
def test_an_unused_hint_gives_a_notice(name: str) -> None:
    negotiated = negotiate(parsed(**{name: EVERYTHING[name]}), UNABLE)
    assert negotiated.options == Options()
    assert [notice.sentence.split("'")[1] for notice in negotiated.hints] == [name]
    insisting = parsed(**{name: EVERYTHING[name]}, provider={"require_parameters": True})
    with raises("unsupported_option", match=f"'{name}' was not used: .* no less"):
        negotiate(insisting, UNABLE)


WORDS: dict[str, Any] = {
    "keyterms": ["Voxgate", "Ada"],
    "keywords": "Lovelace",
    "context_bias": ["a_b"],
}


def test_vocabulary_reaches_a_model_that_uses_it() -> None:
    insisting = {"provider": {"require_parameters": True}}
    negotiated = negotiate(parsed(**WORDS, **insisting), replace(UNABLE, vocabulary=True))
    words = ("Voxgate", "Ada", "Lovelace", "a_b")
    assert negotiated.options == Options(vocabulary=words)
    assert negotiated.hints == ()


@pytest.mark.parametrize("name", WORDS)
def test_unused_vocabulary_gives_a_notice_for_its_field(name: str) -> None:
    negotiated = negotiate(parsed(**{name: WORDS[name]}), ABLE)
    assert negotiated.options == Options()
    assert [notice.sentence.split("'")[1] for notice in negotiated.hints] == [name]
    insisting = parsed(**{name: WORDS[name]}, provider={"require_parameters": True})
    with raises("unsupported_option", match=f"'{name}' was not used: .* no less"):
        negotiate(insisting, ABLE)


def test_what_no_model_can_do_is_refused_for_all() -> None:
    with raises("unsupported_option", match="'include'"):
        parsed(include=["logprobs"])
    with raises("unsupported_language"):
        negotiate(parsed(language="fr"), ABLE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("stop", [""]), ("stop", ["a", ""]), ("max_tokens", 0), ("top_p", 2)),
        *(("presence_penalty", 3), ("beam_size", 0), ("beam_size", 11), ("task", "summarise")),
    ],
)
def test_a_value_out_of_range_is_refused_for_all_models(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"'{name}'"):
        parsed(**{name: value})


def test_the_path_decides_about_the_task() -> None:
    able = replace(UNABLE, translates=True)
    body = RequestBody({"model": "a/b"}, Upload(io.BytesIO(), 0, ""), "form")
    assert negotiate(parse_request(body, "translate"), able).options == Options(task="translate")
    assert negotiate(parsed(task="transcribe"), able).options == Options()
    with pytest.raises(UsageError, match="'translate', but this path is for 'transcribe'"):
        parsed(task="translate")
    with raises("unsupported_option", match="cannot translate"):
        negotiate(parse_request(body, "translate"), UNABLE)


def test_ten_thousand_words_are_read() -> None:
    words = [f"word{number}" for number in range(10_000)]
    assert parsed(keyterms=words).options.vocabulary == tuple(words)
    with pytest.raises(UsageError, match=r"'keyterms' .*10000"):
        parsed(keyterms=[*words, "more"])
