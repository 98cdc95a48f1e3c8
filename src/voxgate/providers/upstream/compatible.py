"""The routes of OpenAI as other servers have them: Groq, Together, Fireworks, speaches, Voxgate.

They differ in what they leave out and in how they write it, so almost nothing is required of an
answer (openai-api.md 3.2, 10).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from voxgate.models.endpoint_capabilities import NOT_TRANSLATING
from voxgate.providers.upstream.answer import UNKNOWN, UpstreamAnswer
from voxgate.providers.upstream.dialect import Dialect, UpstreamRequest
from voxgate.transcript.values import REPEATS, UNLIKELY, Decoding, Segment, TimeSource, Word

if TYPE_CHECKING:
    from voxgate.providers.upstream.dialect import Times, WindowQuestion
    from voxgate.transcript.values import Options
    from voxgate.upstreams import Endpoint

PATHS = {"transcribe": "/audio/transcriptions", "translate": "/audio/translations"}  # by task

HIGHEST_TEMPERATURE = 1.0

_SOURCES: dict[str, TimeSource] = {source: source for source in get_args(TimeSource)}


class WireWord(msgspec.Struct):
    """A word of `verbose_json`. `text` is the name of some servers for it."""

    word: str = ""
    text: str = ""
    start: float | None = None
    end: float | None = None
    confidence: float | None = None
    time_source: str | None = None  # Voxgate's

    def to_word(self) -> Word:
        """Return it with the times that it has."""
        return Word(
            self.word or self.text,
            known_time(self.start),
            known_time(self.end),
            probability(self.confidence),
            _SOURCES.get(self.time_source or "", "recognised"),
        )


class WireSegment(msgspec.Struct):
    """A segment of `verbose_json`."""

    text: str = ""
    start: float | None = None
    end: float | None = None
    avg_logprob: float | None = None
    compression_ratio: float | None = None
    no_speech_prob: float | None = None
    temperature: float | None = None
    confidence: float | None = None
    time_source: str | None = None  # Voxgate's, as the next
    doubt: str | None = None

    def to_segment(self) -> Segment:
        """Return it with the times that it has, and Whisper's facts where it has all of them."""
        facts = (
            self.avg_logprob,
            self.compression_ratio,
            self.no_speech_prob,
            self.temperature,
        )
        known = [fact for fact in facts if fact is not None and math.isfinite(fact)]
        return Segment(
            self.text,
            known_time(self.start),
            known_time(self.end),
            confidence=probability(self.confidence),
            time_source=_SOURCES.get(self.time_source or "", "recognised"),
            doubt=self.doubt if self.doubt in {REPEATS, UNLIKELY} else None,
            decoding=Decoding(*known) if len(known) == len(facts) else None,
        )


class VerboseAnswer(msgspec.Struct):
    """A body of `json` or `verbose_json`. The text alone is required."""

    text: str
    segments: list[WireSegment] | None = None
    words: list[WireWord] | None = None
    language: str | None = None
    source_language: str | None = None  # of a translation, by Voxgate
    model: str | None = None
    usage: Any = None


def options_of(endpoint: Endpoint) -> frozenset[str]:
    """Return the options that such a request can carry: words to expect are put into the prompt."""
    named = endpoint.upstream_model.lower()
    translates = "whisper" in named and not any(part in named for part in NOT_TRANSLATING)
    common = {"language", "temperature", "prompt", "vocabulary"}
    return frozenset(common | ({"task"} if translates else set()))


def times_of(_endpoint: Endpoint) -> Times:
    """Return what is asked for unless the endpoint says otherwise; less may be answered."""
    return "word"


def render(question: WindowQuestion) -> UpstreamRequest:
    """Return the form."""
    options = question.options
    fields = common_fields(question) | verbose_fields(question.times)
    if prompt := prompt_with_words(options):
        fields["prompt"] = prompt
    unused = without_language(fields) if options.task == "translate" else ()
    return UpstreamRequest(PATHS[options.task], fields, unused=unused)


def parse(body: bytes, question: WindowQuestion) -> UpstreamAnswer:
    """Read `json` or `verbose_json`."""
    read = msgspec.json.decode(body, type=VerboseAnswer, strict=False)
    spoken = read.source_language if question.options.task == "translate" else read.language
    return UpstreamAnswer(
        text=read.text,
        segments=tuple(segment.to_segment() for segment in read.segments or ()),
        words=tuple(word.to_word() for word in read.words or ()),
        language=spoken,
        tokens=written_tokens(read.usage),
        model=read.model,
    )


def common_fields(question: WindowQuestion) -> dict[str, str | list[str]]:
    """Return the model, the language and the temperature, of which 1 is OpenAI's highest.

    A higher one would be refused, and a hint fails no request.
    """
    options = question.options
    fields: dict[str, str | list[str]] = {"model": question.endpoint.upstream_model}
    if options.language is not None:
        fields["language"] = options.language
    if options.temperature:
        fields["temperature"] = f"{min(options.temperature, HIGHEST_TEMPERATURE):g}"
    return fields


def without_language(fields: dict[str, str | list[str]]) -> tuple[str, ...]:
    """Take the language out of the form of a translation; return the options that are not sent.

    OpenAI's has none, and what others make of it differs: some allow only that of the text.
    """
    return () if fields.pop("language", None) is None else ("language",)


def verbose_fields(times: Times) -> dict[str, str | list[str]]:
    """Return the format and the granularities: words alone would leave the segments out."""
    if times == "none":
        return {"response_format": "json"}
    granularities = ["segment", "word"] if times == "word" else ["segment"]
    return {"response_format": "verbose_json", "timestamp_granularities[]": granularities}


def prompt_with_words(options: Options) -> str:
    """Return the prompt, after the words to expect: Whisper reads the end of a long one."""
    words = f"{', '.join(options.vocabulary)}." if options.vocabulary else ""
    return " ".join(part for part in (words, options.prompt) if part)


def written_tokens(usage: object) -> int:
    """Return how many tokens the model wrote, by either of their names; 0 where it is not said."""
    if isinstance(usage, dict):
        for name in ("completion_tokens", "output_tokens"):
            if type(tokens := usage.get(name)) is int and tokens > 0:
                return tokens
    return 0


def probability(value: float | None) -> float | None:
    """Return a probability; None for any other number."""
    return value if value is not None and 0 <= value <= 1 else None


def known_time(given: float | None) -> float:
    """Return a time, in seconds, or `UNKNOWN`."""
    return UNKNOWN if given is None else given


COMPATIBLE = Dialect(options_of, times_of, render, parse)
