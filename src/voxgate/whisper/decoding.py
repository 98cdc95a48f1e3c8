"""Decode a batch of windows, and decode again what cannot be trusted.

Whisper falls into loops and invents text where nobody speaks. The checks and their limits are those
of openai/whisper's `transcribe`: a text that compresses too well repeats itself, one whose tokens
are unlikely was guessed. Such a text is decoded again at the next temperature. Where the model also
believes that nobody speaks, an unlikely text is silence.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.whisper.model import MAX_PROMPT_TOKENS, MAX_TOKENS

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from voxgate.whisper.model import Encoded, Hypothesis, Whisper

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MAX_COMPRESSION = 2.4  # of the text by zlib; ordinary text of a window has 1.0 to 2.0
MIN_LOG_PROBABILITY = -1.0  # mean of the tokens
MIN_NO_SPEECH = 0.6  # the probability from which an unlikely text is silence
REPEATS, UNLIKELY = "repeats itself", "is unlikely"


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How one window is decoded."""

    language: str | None = None  # None: detect it
    temperature: float = 0.0  # the first one
    max_tokens: int = MAX_TOKENS
    vocabulary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DecodedWindow:
    """The text of one window."""

    tokens: tuple[int, ...]  # empty where nobody speaks
    text: str
    language: str
    language_probability: float | None  # None where the caller chose the language
    log_probability: float
    doubt: str | None  # why the text cannot be trusted, although it was decoded again
    vocabulary_used: int  # words of the vocabulary that fitted before the text


def decode_windows(
    model: Whisper, encoded: Encoded, options: Sequence[DecodingOptions]
) -> Generator[None, None, list[DecodedWindow]]:
    """Decode the windows of a batch; yield after each call of the model, return the texts."""
    languages = yield from _languages(model, encoded, options)
    vocabularies = [_vocabulary_tokens(model, each.vocabulary) for each in options]
    prompts = [
        model.prompt(language, tokens)
        for (language, _), (tokens, _) in zip(languages, vocabularies, strict=True)
    ]
    attempts: list[list[_Attempt]] = [[] for _ in options]
    for temperature in sorted({*TEMPERATURES, *(each.temperature for each in options)}):
        for group in _groups(options, prompts, attempts, temperature):
            found = model.generate(
                encoded[group],
                [prompts[index] for index in group],
                temperature=temperature,
                max_tokens=options[group[0]].max_tokens,
            )
            for index, hypothesis in zip(group, found, strict=True):
                attempts[index].append(_assess(model, hypothesis, languages[index][0]))
            yield
    return [
        _decoded(tried, *language, vocabulary_used=used)
        for tried, language, (_, used) in zip(attempts, languages, vocabularies, strict=True)
    ]


def _vocabulary_tokens(model: Whisper, vocabulary: Sequence[str]) -> tuple[list[int], int]:
    """Return the tokens of as many words as fit before the text, and how many words did."""
    tokenizer, tokens = model.tokenizer("en"), list[int]()
    for count, word in enumerate(vocabulary):
        more = tokenizer.encode(f" {word.strip()}," if tokens else f" {word.strip()}")
        if len(tokens) + len(more) > MAX_PROMPT_TOKENS:
            return tokens, count
        tokens += more
    return tokens, len(vocabulary)


@dataclass(frozen=True, slots=True)
class _Attempt:
    hypothesis: Hypothesis
    text: str
    doubt: str | None
    silent: bool


def _languages(
    model: Whisper, encoded: Encoded, options: Sequence[DecodingOptions]
) -> Generator[None, None, list[tuple[str, float | None]]]:
    """Return each window's language: the chosen one, or the detected one with its probability."""
    unknown = [index for index, each in enumerate(options) if each.language is None]
    chosen = [(each.language or "en", None) for each in options]
    languages: list[tuple[str, float | None]] = list(chosen)
    if unknown and model.multilingual:
        found = model.detect_languages(encoded[unknown])
        yield
        for index, detected in zip(unknown, found, strict=True):
            languages[index] = detected
    return languages


def _groups(
    options: Sequence[DecodingOptions],
    prompts: Sequence[Sequence[int]],
    attempts: Sequence[Sequence[_Attempt]],
    temperature: float,
) -> list[list[int]]:
    """Return the windows to decode at a temperature, in groups that one call can decode.

    A call limits the prompt and the text together, so the windows of a group agree on both.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for index, (each, tried) in enumerate(zip(options, attempts, strict=True)):
        first = not tried and temperature >= each.temperature
        if first or (tried and tried[-1].doubt):
            groups.setdefault((each.max_tokens, len(prompts[index])), []).append(index)
    return list(groups.values())


def _assess(model: Whisper, hypothesis: Hypothesis, language: str) -> _Attempt:
    text = model.tokenizer(language).decode(list(hypothesis.tokens)).strip()
    unlikely = hypothesis.log_probability < MIN_LOG_PROBABILITY
    silent = not text or (unlikely and hypothesis.no_speech_probability > MIN_NO_SPEECH)
    doubt = None
    if not silent:
        doubt = REPEATS if _compression(text) > MAX_COMPRESSION else UNLIKELY if unlikely else None
    return _Attempt(hypothesis, text, doubt, silent)


def _compression(text: str) -> float:
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def _decoded(
    attempts: Sequence[_Attempt], language: str, probability: float | None, *, vocabulary_used: int
) -> DecodedWindow:
    """Return the attempt that can be trusted; without any, the likeliest that does not repeat."""
    best = attempts[-1]
    if best.doubt:
        plain = [attempt for attempt in attempts if attempt.doubt != REPEATS] or attempts
        best = max(plain, key=lambda attempt: attempt.hypothesis.log_probability)
    hypothesis = best.hypothesis
    return DecodedWindow(
        tokens=() if best.silent else hypothesis.tokens,
        text="" if best.silent else best.text,
        language=language,
        language_probability=probability,
        log_probability=hypothesis.log_probability,
        doubt=best.doubt,
        vocabulary_used=vocabulary_used,
    )
