"""`Attempt`: a text that Whisper decoded for a window, and whether it can be trusted.

The checks and their limits are those of openai/whisper's `transcribe`: a text that compresses too
well repeats itself, one whose tokens are unlikely was guessed. Where the model also believes that
nobody speaks, an unlikely text is silence.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.transcript.repetition import MAX_COMPRESSION
from voxgate.transcript.values import REPEATS, UNLIKELY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.whisper.model import Hypothesis, Whisper

MIN_TRIGRAMS = 20  # of characters, from which a text can be told to be a loop
MIN_DISTINCT = 0.25  # share of its trigrams; texts of speech have 0.5 to 1
MIN_LOG_PROBABILITY = -1.0  # mean of the tokens
MIN_NO_SPEECH = 0.6  # the probability from which an unlikely text is silence


@dataclass(frozen=True, slots=True)
class Attempt:
    """A text of one window."""

    hypothesis: Hypothesis
    text: str
    temperature: float
    compression_ratio: float
    doubt: str | None  # why it cannot be trusted
    silent: bool  # nobody speaks

    @property
    def is_likely(self) -> bool:
        """Whether it was not guessed."""
        return self.hypothesis.log_probability >= MIN_LOG_PROBABILITY


def assess(model: Whisper, hypothesis: Hypothesis, temperature: float) -> Attempt:
    """Return what the model decoded at a temperature, with what is doubtful about it."""
    text = model.tokenizer().decode(list(hypothesis.tokens)).strip()
    ratio = _compression_ratio(text)
    unlikely = hypothesis.log_probability < MIN_LOG_PROBABILITY
    silent = not text or (unlikely and may_be_silence(hypothesis))
    doubt = None
    if not silent:
        repeats = ratio > MAX_COMPRESSION or (temperature > 0 and _is_still_in_a_loop(text))
        doubt = REPEATS if repeats else UNLIKELY if unlikely else None
    return Attempt(hypothesis, text, temperature, ratio, doubt, silent)


def may_be_silence(hypothesis: Hypothesis) -> bool:
    """Return whether the model believes that nobody speaks."""
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


def best_attempt(attempts: Sequence[Attempt]) -> Attempt:
    """Return the attempt that can be trusted; without any, the likeliest that does not repeat.

    Where all repeat it is the first that ended by itself, of the lowest temperature: how likely a
    loop is says nothing, but one that only the limit of tokens ends was never said. An unlikely
    sample after a likely text does not make the window silent: the text would be lost.
    """
    likely = any(attempt.doubt == REPEATS and attempt.is_likely for attempt in attempts)
    if not attempts[-1].doubt and not (attempts[-1].silent and likely):
        return attempts[-1]
    heard = [attempt for attempt in attempts if not attempt.silent]
    plain = [attempt for attempt in heard if attempt.doubt != REPEATS]
    ended = next((attempt for attempt in heard if attempt.hypothesis.ended), heard[0])
    return max(plain, key=lambda attempt: attempt.hypothesis.log_probability, default=ended)
