"""OpenAI itself: each of its models has a form of its own (openai-api.md 1).

* `whisper-1` has times, and alone translates.
* `gpt-transcribe` takes candidates of languages and keywords; it ignores `language`.
* `gpt-4o-transcribe` and its like write text alone, with the probabilities of its tokens.
* `gpt-4o-transcribe-diarize` has times of segments, and takes no prompt.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from voxgate.providers.upstream import compatible
from voxgate.providers.upstream.answer import UpstreamAnswer
from voxgate.providers.upstream.compatible import (
    PATHS,
    WireSegment,
    common_fields,
    prompt_with_words,
    verbose_fields,
    without_language,
    written_tokens,
)
from voxgate.providers.upstream.dialect import Dialect, UpstreamRequest

if TYPE_CHECKING:
    from voxgate.providers.upstream.dialect import Times, WindowQuestion
    from voxgate.upstreams import Endpoint

WHISPER, DIARIZING = "whisper", "diarize"
CANDIDATES, WITH_PROBABILITIES = "gpt-transcribe", "gpt-4o"
"""In the names of models that have a form of their own."""


class _Language(msgspec.Struct):
    code: str | None = None


class _Token(msgspec.Struct):
    logprob: float | None = None


class _TextAnswer(msgspec.Struct):
    """A body of `json` or `diarized_json`."""

    text: str
    segments: list[WireSegment] | None = None
    languages: list[_Language] | None = None
    logprobs: list[_Token] | None = None
    usage: Any = None


def options_of(endpoint: Endpoint) -> frozenset[str]:
    """Return the options that the model's form has."""
    options = {"language", "temperature"}
    if not _is(endpoint, DIARIZING):
        options |= {"prompt", "vocabulary"}
    if _is(endpoint, WHISPER):
        options |= {"task"}
    return frozenset(options)


def times_of(endpoint: Endpoint) -> Times:
    """Return the finest times of the model."""
    if _is(endpoint, WHISPER):
        return "word"
    return "segment" if _is(endpoint, DIARIZING) else "none"


def render(question: WindowQuestion) -> UpstreamRequest:
    """Return the form of the model."""
    options, endpoint = question.options, question.endpoint
    fields = common_fields(question)
    unused: tuple[str, ...] = ()
    if options.task == "translate":
        unused = without_language(fields)  # granularities are no fields of this route either
        fields["response_format"] = "json" if question.times == "none" else "verbose_json"
    elif _is(endpoint, WHISPER):
        fields |= verbose_fields(question.times)
    elif _is(endpoint, DIARIZING):
        # Without a strategy for its cuts it refuses more than 30 s.
        fields |= {"response_format": "diarized_json", "chunking_strategy": "auto"}
    elif _is(endpoint, CANDIDATES):
        fields["response_format"] = "json"
        if language := fields.pop("language", None):
            fields["languages[]"] = language
    else:
        fields["response_format"] = "json"
        if _is(endpoint, WITH_PROBABILITIES):
            fields["include[]"] = ["logprobs"]
    fields |= _expected_words(question)
    return UpstreamRequest(PATHS[options.task], fields, unused=unused)


def parse(body: bytes, question: WindowQuestion) -> UpstreamAnswer:
    """Read the body of the format that was asked for."""
    if _is(question.endpoint, WHISPER):
        return compatible.parse(body, question)
    read = msgspec.json.decode(body, type=_TextAnswer, strict=False)
    languages = read.languages or ()
    return UpstreamAnswer(
        text=read.text,
        segments=tuple(segment.to_segment() for segment in read.segments or ()),
        language=languages[0].code if len(languages) == 1 else None,
        tokens=written_tokens(read.usage),
        confidence=_confidence(read.logprobs or ()),
    )


def _expected_words(question: WindowQuestion) -> dict[str, str | list[str]]:
    options = question.options
    if not _is(question.endpoint, CANDIDATES):
        prompt = prompt_with_words(options)
        return {"prompt": prompt} if prompt else {}
    fields: dict[str, str | list[str]] = {}
    if options.prompt:
        fields["prompt"] = options.prompt
    if options.vocabulary:
        fields["keywords[]"] = list(options.vocabulary)
    return fields


def _confidence(tokens: list[_Token] | tuple[()]) -> float | None:
    """Return the geometric mean of the tokens' probabilities."""
    known = [min(each.logprob, 0.0) for each in tokens if each.logprob is not None]
    if not known or not all(map(math.isfinite, known)):
        return None
    return math.exp(math.fsum(known) / len(known))


def _is(endpoint: Endpoint, kind: str) -> bool:
    return kind in endpoint.upstream_model.lower()


OPENAI = Dialect(options_of, times_of, render, parse)
