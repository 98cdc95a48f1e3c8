"""A request's fields against what a model can do: without a server, without a model."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from voxgate.api.body.request_body import RequestBody, Upload
from voxgate.api.dialects.negotiate import negotiate
from voxgate.api.dialects.parse import parse_request
from voxgate.errors import OptionError, UnsupportedLanguageError, UsageError
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
    "prompt": "",
    "keyterms": [],
    "keywords": [""],
    "context_bias": None,
}


def asked(**fields: Any) -> ParsedRequest:
    return parse_request(
        RequestBody({"model": "a/b", **fields}, Upload(io.BytesIO(), 0, ""), "form")
    )


def test_what_is_asked_of_a_model_that_can_reaches_it_whole() -> None:
    fulfilled = negotiate(asked(**EVERYTHING, provider={"require_parameters": True}), ABLE)
    assert fulfilled.options == Options("en", 0.5, 0.9, -7, 9, ("end", "fin"), 1.0, -1.0)
    assert fulfilled.hints == ()


def test_a_stop_may_come_bare() -> None:
    assert negotiate(asked(stop="end"), ABLE).options == Options(stop=("end",))


def test_values_that_ask_for_nothing_pass_everywhere() -> None:
    fulfilled = negotiate(asked(**NOTHING, provider={"require_parameters": True}), UNABLE)
    assert (fulfilled.options, fulfilled.hints) == (Options(), ())


@pytest.mark.parametrize("name", STRICT_OPTIONS)
def test_a_promise_that_the_model_cannot_keep_is_refused(name: str) -> None:
    request = asked(**{name: EVERYTHING[name]})
    sentence = f"a/b cannot fulfil '{name}'. Leave it out, or ask another model."
    with pytest.raises(OptionError) as caught:
        negotiate(request, UNABLE)
    assert caught.value.sentence == sentence


@pytest.mark.parametrize("name", HINT_OPTIONS)
def test_a_hint_that_the_model_has_no_use_for_is_told(name: str) -> None:
    fulfilled = negotiate(asked(**{name: EVERYTHING[name]}), UNABLE)
    assert fulfilled.options == Options()
    assert [notice.sentence.split("'")[1] for notice in fulfilled.hints] == [name]
    insisting = asked(**{name: EVERYTHING[name]}, provider={"require_parameters": True})
    with pytest.raises(OptionError, match=f"'{name}' was not used: .* no less"):
        negotiate(insisting, UNABLE)


WORDS: dict[str, Any] = {
    "prompt": "A talk of Voxgate, by Ada.",
    "keyterms": ["Voxgate", "Ada"],
    "keywords": "Lovelace",
    "context_bias": ["a_b"],
}


def test_words_that_will_be_said_reach_a_model_that_takes_them() -> None:
    insisting = {"provider": {"require_parameters": True}}
    fulfilled = negotiate(asked(**WORDS, **insisting), replace(UNABLE, vocabulary=True))
    words = ("A talk of Voxgate, by Ada.", "Voxgate", "Ada", "Lovelace", "a_b")
    assert fulfilled.options == Options(vocabulary=words)
    assert fulfilled.hints == ()


@pytest.mark.parametrize("name", WORDS)
def test_words_are_told_by_their_field_where_the_model_takes_none(name: str) -> None:
    fulfilled = negotiate(asked(**{name: WORDS[name]}), ABLE)
    assert fulfilled.options == Options()
    assert [notice.sentence.split("'")[1] for notice in fulfilled.hints] == [name]
    insisting = asked(**{name: WORDS[name]}, provider={"require_parameters": True})
    with pytest.raises(OptionError, match=f"'{name}' was not used: .* no less"):
        negotiate(insisting, ABLE)


def test_what_no_model_can_do_is_the_same_for_all() -> None:
    with pytest.raises(OptionError, match="'structured_outputs'"):
        asked(structured_outputs=True)
    with pytest.raises(UnsupportedLanguageError):
        negotiate(asked(language="fr"), ABLE)


@pytest.mark.parametrize(
    ("name", "value"),
    [("stop", ""), ("stop", ["a", ""]), ("max_tokens", 0), ("top_p", 2), ("presence_penalty", 3)],
)
def test_a_value_out_of_range_is_refused_whoever_is_asked(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"'{name}'"):
        asked(**{name: value})
