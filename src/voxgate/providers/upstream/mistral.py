"""Mistral: its own form, in which a language excludes times (mistral-api.md 2).

Its words are segments: with the granularity `word` each segment is one word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from voxgate.providers.upstream.answer import UpstreamAnswer
from voxgate.providers.upstream.compatible import (
    PATHS,
    common_fields,
    known_time,
    probability,
    written_tokens,
)
from voxgate.providers.upstream.dialect import Dialect, UpstreamRequest
from voxgate.transcript.values import Segment, Word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voxgate.providers.upstream.dialect import Times, WindowQuestion
    from voxgate.upstreams import Endpoint

MOST_BIASES = 100
"""Entries of `context_bias` that the second generation takes."""

_THIRD_GENERATION = re.compile(r"transcribe-(3|latest)")
"""In names of models whose entries may have spaces, and that have no times of words."""

_BETWEEN_WORDS = re.compile(r"[,\s]+")


class _Segment(msgspec.Struct):
    text: str = ""
    start: float | None = None
    end: float | None = None
    score: float | None = None


class _Answer(msgspec.Struct):
    text: str
    model: str | None = None
    language: str | None = None
    segments: list[_Segment] | None = None
    usage: Any = None


def options_of(_endpoint: Endpoint) -> frozenset[str]:
    """Return the options that its form has: neither a prompt nor a translation."""
    return frozenset({"language", "temperature", "vocabulary"})


def times_of(_endpoint: Endpoint) -> Times:
    """Return the times that words are found from, also where a language leaves none."""
    return "segment"


def render(question: WindowQuestion) -> UpstreamRequest:
    """Return the form. Lists are repeated without brackets."""
    fields = common_fields(question)
    if granularity := _granularity(question):
        fields["timestamp_granularities"] = [granularity]
    biases, unused = _biases(question)
    if biases:
        fields["context_bias"] = biases
    return UpstreamRequest(PATHS["transcribe"], fields, unused=("vocabulary",) if unused else ())


def parse(body: bytes, question: WindowQuestion) -> UpstreamAnswer:
    """Read the body."""
    read = msgspec.json.decode(body, type=_Answer, strict=False)
    parts = read.segments or []
    are_words = _granularity(question) == "word"
    return UpstreamAnswer(
        text=read.text,
        segments=() if are_words else tuple(map(_segment, parts)),
        words=tuple(map(_word, parts)) if are_words else (),
        language=read.language,
        tokens=written_tokens(read.usage),
        model=read.model,
    )


def _granularity(question: WindowQuestion) -> str | None:
    """Return the times to ask for: none with a language, which would be refused."""
    if question.options.language is not None or question.times == "none":
        return None
    return "segment" if _is_third_generation(question.endpoint) else question.times


def _biases(question: WindowQuestion) -> tuple[list[str], bool]:
    """Return the entries for the words to expect, and whether some could not be sent."""
    vocabulary = question.options.vocabulary
    if _is_third_generation(question.endpoint):
        return list(vocabulary), False
    entries = list(dict.fromkeys(filter(None, map(_joined, vocabulary))))
    sent = entries[:MOST_BIASES]
    return sent, len(sent) < len(entries) or any(not _joined(term) for term in vocabulary)


def _joined(term: str) -> str:
    """Return a term as one word: an entry has neither a space nor a comma."""
    return "_".join(_words(term))


def _words(term: str) -> Iterable[str]:
    return filter(None, _BETWEEN_WORDS.split(term))


def _is_third_generation(endpoint: Endpoint) -> bool:
    return _THIRD_GENERATION.search(endpoint.upstream_model) is not None


def _segment(part: _Segment) -> Segment:
    return Segment(
        part.text, known_time(part.start), known_time(part.end), confidence=probability(part.score)
    )


def _word(part: _Segment) -> Word:
    return Word(
        part.text.strip(), known_time(part.start), known_time(part.end), probability(part.score)
    )


MISTRAL = Dialect(options_of, times_of, render, parse)
