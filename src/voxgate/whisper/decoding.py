"""Decode a batch of windows, and decode again what cannot be trusted.

Whisper falls into loops and invents text where nobody speaks. A text that repeats itself or was
guessed is decoded again at the next temperature. A text of nothing but the caller's own words, one
that was not likely at first, and one of what may be silence is decoded again without them: the
model may say what it was told to expect, in noise or instead of what is said. A short window whose
text is not sure is heard a second time, with timestamps: the model was trained with and without.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from voxgate.transcript.values import REPEATS, UNLIKELY
from voxgate.whisper.attempt import assess, best_attempt, may_be_silence
from voxgate.whisper.context import build_context
from voxgate.whisper.model import BEAM_SIZE, MAX_TOKENS, WINDOW_S

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from voxgate.transcript.values import Task
    from voxgate.whisper.attempt import Attempt
    from voxgate.whisper.context import Context
    from voxgate.whisper.model import Encoded, Whisper

TEMPERATURES = (0.0, 0.4, 0.8)  # every other one of openai/whisper's: docs/decisions/0018
SURE_LOG_PROBABILITY = -0.5  # believed where there may be silence: noise had -0.7 at most
LONGEST_HEARD_TWICE_S = 15.0  # longer windows are those of long recordings: it would take too long
UNSURE_LOG_PROBABILITY = -0.2  # below it a text is heard a second time: docs/decisions/0018
LEAST_KEPT = 0.8  # of a text's characters: timestamps may end a text before the speech does


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
    seconds: float = WINDOW_S  # of sound


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
    best = [best_attempt(tried) for tried in attempts]
    unsure = [n for n, each in enumerate(options) if _is_unsure(best[n], each, contexts[n])]
    for index in unsure:
        each, (language, _) = options[index], languages[index]
        again = _decode_alone(model, encoded[index], each, language, timestamps=True)
        yield None
        if _is_as_good(again, best[index]):
            best[index] = again
    for index, (each, context) in enumerate(zip(options, contexts, strict=True)):
        if _may_come_from(context, attempts[index], best[index]):
            alone = _decode_alone(model, encoded[index], each, languages[index][0])
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
) -> Generator[Sequence[int], None, list[list[Attempt]]]:
    """Return the attempts at each window: at one temperature after another, up to a good one."""
    attempts: list[list[Attempt]] = [[] for _ in options]
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
                attempts[index].append(assess(model, hypothesis, temperature))
            yield [index for index in group if not attempts[index][-1].doubt]
    return attempts


def _groups(
    options: Sequence[DecodingOptions],
    prompts: Sequence[Sequence[int]],
    attempts: Sequence[Sequence[Attempt]],
    temperature: float,
) -> list[list[int]]:
    """Return the windows to decode at a temperature, in groups that one call can decode.

    A call has one beam size, and limits the prompt and the text together, so the windows of a group
    agree on all three. A call that samples copies what it knows of the sound for every sample: it
    has one window, since four would take twice the engine's memory and hardly less time.
    """
    groups: dict[tuple[int, int, int, int], list[int]] = {}
    for index, (each, tried) in enumerate(zip(options, attempts, strict=True)):
        again = tried and tried[-1].doubt and temperature in TEMPERATURES
        if again or (not tried and temperature == each.temperature):
            alone = index if temperature > 0 else -1
            key = each.max_tokens, len(prompts[index]), each.beam_size, alone
            groups.setdefault(key, []).append(index)
    return list(groups.values())


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


def _is_unsure(best: Attempt, options: DecodingOptions, context: Context) -> bool:
    """Return whether a text is one to hear again with timestamps: not one that is doubtful.

    Where timestamps were tried, nothing stood before the text, and nothing limited it.
    """
    plain = options.temperature == 0 and options.task == "transcribe" and not context.tokens
    return (
        plain
        and options.seconds <= LONGEST_HEARD_TWICE_S
        and options.max_tokens == MAX_TOKENS
        and not best.doubt
        and not best.silent
        and best.hypothesis.log_probability < UNSURE_LOG_PROBABILITY
    )


def _is_as_good(again: Attempt, first: Attempt) -> bool:
    """Return whether a text with timestamps can be trusted, and is of all that was heard first."""
    whole = len(again.text) >= LEAST_KEPT * len(first.text)
    return whole and not again.doubt and not again.silent


def _may_come_from(context: Context, attempts: Sequence[Attempt], best: Attempt) -> bool:
    """Return whether the caller's words may have made the best of the attempts.

    They make a text likelier, and the model less sure that nobody speaks, so that it guesses.
    """
    guessed = attempts[0].doubt == UNLIKELY or may_be_silence(best.hypothesis)
    return not best.silent and (
        context.is_echoed_by(best.text) or (bool(context.tokens) and guessed)
    )


def _hears_nothing(alone: Attempt) -> bool:
    """Return whether there is no speech, by what is decoded without the caller's words.

    A loop over what is most likely no speech, and a text that is not sure there, are as good as
    silence: some processors' arithmetic makes them of noise.
    """
    sure = alone.doubt != REPEATS and alone.hypothesis.log_probability >= SURE_LOG_PROBABILITY
    return alone.silent or (may_be_silence(alone.hypothesis) and not sure)


def _says_more(alone: Attempt, echo: Attempt) -> bool:
    """Return whether an echo lost most of what is heard without the caller's words."""
    return not alone.doubt and len(alone.text) >= 2 * len(echo.text)


def _decode_alone(
    model: Whisper,
    encoded: Encoded,
    options: DecodingOptions,
    language: str,
    *,
    timestamps: bool = False,
) -> Attempt:
    """Decode one window, [1500 frames, width], without what the caller wants before its text."""
    (hypothesis,) = model.generate(
        encoded[np.newaxis],
        [model.prompt(language, options.task, timestamps=timestamps)],
        max_tokens=options.max_tokens,
        beam_size=options.beam_size,
        timestamps=timestamps,
    )
    return assess(model, hypothesis, 0.0)


def _decoded(
    attempt: Attempt, language: str, probability: float | None, context: Context
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
