"""Decode a batch of windows, and decode again what cannot be trusted.

Whisper falls into loops and invents text where nobody speaks. The checks and their limits are those
of openai/whisper's `transcribe`: a text that compresses too well repeats itself, one whose tokens
are unlikely was guessed. Such a text is decoded again at the next temperature. Where the model also
believes that nobody speaks, an unlikely text is silence. A text of nothing but the caller's own
words, one that was not likely at first, and one of what may be silence is decoded again without
them: the model may say what it was told to expect, in noise or instead of what is said.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from voxgate.transcript.repetition import MAX_COMPRESSION
from voxgate.transcript.values import REPEATS, UNLIKELY
from voxgate.whisper.context import build_context
from voxgate.whisper.model import BEAM_SIZE, MAX_TOKENS

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from voxgate.transcript.values import Task
    from voxgate.whisper.context import Context
    from voxgate.whisper.model import Encoded, Hypothesis, Whisper

MIN_TRIGRAMS = 20  # of characters, from which a text can be told to be a loop
MIN_DISTINCT = 0.25  # share of its trigrams; texts of speech have 0.5 to 1
TEMPERATURES = (0.0, 0.4, 0.8)  # every other one of openai/whisper's: docs/decisions/0018
MIN_LOG_PROBABILITY = -1.0  # mean of the tokens
MIN_NO_SPEECH = 0.6  # the probability from which an unlikely text is silence
SURE_LOG_PROBABILITY = -0.5  # believed where there may be silence: noise had -0.7 at most


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How one window is decoded."""

    language: str | None = None  # None: detect it
    temperature: float = 0.0  # the first one
    max_tokens: int = MAX_TOKENS
    vocabulary: tuple[str, ...] = ()
    task: Task = "transcribe"
    prompt: str = ""
    beam_size: int = BEAM_SIZE


@dataclass(frozen=True, slots=True)
class DecodedWindow:
    """The text of one window."""

    tokens: tuple[int, ...]  # empty where nobody speaks
    text: str
    language: str
    language_probability: float | None  # None where the caller chose the language
    log_probability: float
    compression_ratio: float
    no_speech_probability: float
    temperature: float
    doubt: str | None  # why the text cannot be trusted, although it was decoded again
    context: Context  # what of the caller's words came before the text


def decode_windows(
    model: Whisper, encoded: Encoded, options: Sequence[DecodingOptions]
) -> Generator[Sequence[int] | None, None, list[DecodedWindow]]:
    """Decode the windows of a batch, and return the texts.

    Yield after each call of the model; after one that decodes, the windows whose text is trusted.
    """
    languages = yield from detect_unknown(model, encoded, [each.language for each in options])
    contexts = [build_context(model.tokenizer(), o.vocabulary, o.prompt) for o in options]
    prompts = [
        model.prompt(language, each.task, context.tokens)
        for each, (language, _), context in zip(options, languages, contexts, strict=True)
    ]
    attempts = yield from _attempts(model, encoded, options, prompts)
    best = [_best_attempt(tried) for tried in attempts]
    for index, (each, context) in enumerate(zip(options, contexts, strict=True)):
        if _may_come_from(context, attempts[index], best[index]):
            alone = _decode_without_context(model, encoded[index], each, languages[index][0])
            yield None
            if _hears_nothing(alone):
                best[index] = replace(alone, silent=True, doubt=None)
            elif _says_more(alone, best[index]):
                best[index] = alone
    return [
        _decoded(attempt, *language, context)
        for attempt, language, context in zip(best, languages, contexts, strict=True)
    ]


def _attempts(
    model: Whisper,
    encoded: Encoded,
    options: Sequence[DecodingOptions],
    prompts: Sequence[Sequence[int]],
) -> Generator[Sequence[int], None, list[list[_Attempt]]]:
    """Return the attempts at each window: at one temperature after another, up to a good one."""
    attempts: list[list[_Attempt]] = [[] for _ in options]
    for temperature in sorted({*TEMPERATURES, *(each.temperature for each in options)}):
        for group in _groups(options, prompts, attempts, temperature):
            found = model.generate(
                encoded[group],
                [prompts[index] for index in group],
                temperature=temperature,
                max_tokens=options[group[0]].max_tokens,
                beam_size=options[group[0]].beam_size,
            )
            for index, hypothesis in zip(group, found, strict=True):
                attempts[index].append(_assess(model, hypothesis, temperature))
            yield [index for index in group if not attempts[index][-1].doubt]
    return attempts


@dataclass(frozen=True, slots=True)
class _Attempt:
    hypothesis: Hypothesis
    text: str
    temperature: float
    compression_ratio: float
    doubt: str | None
    silent: bool

    @property
    def is_likely(self) -> bool:
        return self.hypothesis.log_probability >= MIN_LOG_PROBABILITY


def detect_unknown(
    model: Whisper, encoded: Encoded, chosen: Sequence[str | None]
) -> Generator[None, None, list[tuple[str, float | None]]]:
    """Return each window's language: the chosen one, or the detected one with its probability.

    Yield after a call of the model.
    """
    unknown = [index for index, language in enumerate(chosen) if language is None]
    languages: list[tuple[str, float | None]] = [(language or "en", None) for language in chosen]
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

    A call has one beam size, and limits the prompt and the text together, so the windows of a group
    agree on all three. A call that samples copies what it knows of the sound for every sample: it
    has one window, since four would take twice the engine's memory and hardly less time.
    """
    groups: dict[tuple[int, int, int, int], list[int]] = {}
    for index, (each, tried) in enumerate(zip(options, attempts, strict=True)):
        first = not tried and temperature >= each.temperature
        if first or (tried and tried[-1].doubt):
            alone = index if temperature > 0 else -1
            key = each.max_tokens, len(prompts[index]), each.beam_size, alone
            groups.setdefault(key, []).append(index)
    return list(groups.values())


def _assess(model: Whisper, hypothesis: Hypothesis, temperature: float) -> _Attempt:
    text = model.tokenizer().decode(list(hypothesis.tokens)).strip()
    ratio = _compression_ratio(text)
    unlikely = hypothesis.log_probability < MIN_LOG_PROBABILITY
    silent = not text or (unlikely and _may_be_silence(hypothesis))
    doubt = None
    if not silent:
        repeats = ratio > MAX_COMPRESSION or (temperature > 0 and _is_still_in_a_loop(text))
        doubt = REPEATS if repeats else UNLIKELY if unlikely else None
    return _Attempt(hypothesis, text, temperature, ratio, doubt, silent)


def _may_be_silence(hypothesis: Hypothesis) -> bool:
    return hypothesis.no_speech_probability > MIN_NO_SPEECH


def _is_still_in_a_loop(text: str) -> bool:
    """Return whether a sample repeats itself, also where it is too short to compress well.

    Most of its trigrams of characters are the same then: "T-T-T-TE-T-T-" is likely, and not what
    was said, which is "3 3 3 3 3 3".
    """
    trigrams = [text[at : at + 3] for at in range(len(text) - 2)]
    return len(trigrams) >= MIN_TRIGRAMS and len(set(trigrams)) < MIN_DISTINCT * len(trigrams)


def _compression_ratio(text: str) -> float:
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def _best_attempt(attempts: Sequence[_Attempt]) -> _Attempt:
    """Return the attempt that can be trusted; without any, the likeliest that does not repeat.

    Where all repeat it is the first, of the lowest temperature: how likely a loop is says nothing.
    An unlikely sample after a likely text does not make the window silent: the text would be lost.
    """
    likely = any(attempt.doubt == REPEATS and attempt.is_likely for attempt in attempts)
    if not attempts[-1].doubt and not (attempts[-1].silent and likely):
        return attempts[-1]
    heard = [attempt for attempt in attempts if not attempt.silent]
    plain = [attempt for attempt in heard if attempt.doubt != REPEATS]
    return max(plain, key=lambda attempt: attempt.hypothesis.log_probability, default=heard[0])


def _may_come_from(context: Context, attempts: Sequence[_Attempt], best: _Attempt) -> bool:
    """Return whether the caller's words may have made the best of the attempts.

    They make a text likelier, and the model less sure that nobody speaks, so that it guesses.
    """
    guessed = attempts[0].doubt == UNLIKELY or _may_be_silence(best.hypothesis)
    return not best.silent and (
        context.is_echoed_by(best.text) or (bool(context.tokens) and guessed)
    )


def _hears_nothing(alone: _Attempt) -> bool:
    """Return whether there is no speech, by what is decoded without the caller's words.

    A loop over what is most likely no speech, and a text that is not sure there, are as good as
    silence: some processors' arithmetic makes them of noise.
    """
    sure = alone.doubt != REPEATS and alone.hypothesis.log_probability >= SURE_LOG_PROBABILITY
    return alone.silent or (_may_be_silence(alone.hypothesis) and not sure)


def _says_more(alone: _Attempt, echo: _Attempt) -> bool:
    """Return whether an echo lost most of what is heard without the caller's words."""
    return not alone.doubt and len(alone.text) >= 2 * len(echo.text)


def _decode_without_context(
    model: Whisper, encoded: Encoded, options: DecodingOptions, language: str
) -> _Attempt:
    """Decode one window, [1500 frames, width]."""
    (hypothesis,) = model.generate(
        encoded[np.newaxis],
        [model.prompt(language, options.task)],
        max_tokens=options.max_tokens,
        beam_size=options.beam_size,
    )
    return _assess(model, hypothesis, 0.0)


def _decoded(
    attempt: _Attempt, language: str, probability: float | None, context: Context
) -> DecodedWindow:
    hypothesis = attempt.hypothesis
    return DecodedWindow(
        tokens=() if attempt.silent else hypothesis.tokens,
        text="" if attempt.silent else attempt.text,
        language=language,
        language_probability=probability,
        log_probability=hypothesis.log_probability,
        compression_ratio=attempt.compression_ratio,
        no_speech_probability=hypothesis.no_speech_probability,
        temperature=attempt.temperature,
        doubt=attempt.doubt,
        context=context,
    )
