"""`DecodingState`: one window on its way to text, token by token. No computation of logits here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.errors import UsageError
from voxgate.voxtral.features import CHUNK_S, SAMPLE_RATE, count_chunks, prepare_samples
from voxgate.voxtral.prompt import transcription_prompt
from voxgate.voxtral.sampling import Sampler, Sampling

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from torch import Tensor

    from voxgate.voxtral.sampling import GreedyChoice
    from voxgate.voxtral.tokenizer import Tokenizer

TOKENS_PER_S, TOKEN_MARGIN = 14, 32
"""More tokens than fast speech has: a longer text is a loop of repetitions.

14 a second is advice from the field (voxtral-model.md E.2); the margin is for very short windows.
"""

FinishReason: TypeAlias = Literal["end", "stop", "length", "runaway"]
"""Why a text ended: at an end token, a stop string, `max_tokens`, or the cap for its duration."""


@dataclass(frozen=True, slots=True)
class DecodingResult:
    """The text of one window."""

    token_ids: tuple[int, ...]  # as generated, without the prompt and the end token
    logprobs: tuple[float, ...]  # of each token, in nats, under the model's own distribution
    text: str
    finish: FinishReason

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities; None without tokens."""
        return math.exp(fmean(self.logprobs)) if self.logprobs else None


class DecodingState:
    """A window with its prompt, its sampler and the tokens generated so far.

    The caller computes the logits after the prompt, then the logits after each token, until
    `choose_next` returns False. One window alone and several in a batch are decoded in the same
    way.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        samples: np.ndarray | Sequence[float] | Tensor,
        language: str | None = None,
        max_tokens: int | None = None,
        *,
        stop: Sequence[str] = (),
        sampling: Sampling | None = None,
    ) -> None:
        """Take the parameters of `Voxtral.generate`, and raise the same errors."""
        self.samples = prepare_samples(samples)
        self.duration_s = len(self.samples) / SAMPLE_RATE
        _check_limits(max_tokens, stop)
        cap = max_tokens_for(self.duration_s)
        self.max_tokens = min(cap, max_tokens or cap)
        self._finish_at_limit: FinishReason = (
            "length" if max_tokens == self.max_tokens else "runaway"
        )
        self.prompt = transcription_prompt(tokenizer, count_chunks(self.samples), language)
        self._sampler = Sampler(sampling or Sampling())
        self._stop_tokens = tokenizer.stop_tokens
        self._stop_strings = tuple(stop)
        self._stream = tokenizer.stream()
        self._tokens: list[int] = []
        self._logprobs: list[float] = []
        self._text = ""
        self._finish: FinishReason | None = None

    @property
    def max_positions(self) -> int:
        """The most positions that this window needs in its cache slot."""
        return len(self.prompt) + self.max_tokens

    @property
    def last_token(self) -> int:
        """The token chosen last, which the model has to process next."""
        return self._tokens[-1]

    @property
    def stable_text(self) -> str:
        """The start of the text that no later token can change: it grows, and never shrinks.

        An ending that may become a stop string is left out.
        """
        if self._finish is not None:
            return self._text
        withheld = max((_overlap(self._text, stop) for stop in self._stop_strings), default=0)
        return self._text[: len(self._text) - withheld]

    def choose_next(self, logits: Tensor, greedy: GreedyChoice | None = None) -> bool:
        """Choose the next token from logits [vocabulary]; False when the text is finished.

        `greedy` is passed to `Sampler.choose`. Raises `EngineError` (`engine_refused`) if the
        logits are not finite.
        """
        return self.append(*self._sampler.choose(logits, greedy))

    def append(self, token: int, logprob: float) -> bool:
        """Append a token; False when the text is finished."""
        if token in self._stop_tokens:
            self._finish = "end"
            return False
        self._tokens.append(token)
        self._logprobs.append(logprob)
        self._append_text(self._stream.push(token))
        if self._finish is None and len(self._tokens) >= self.max_tokens:
            self._finish = self._finish_at_limit
        return self._finish is None

    def result(self) -> DecodingResult:
        """Return the finished text. Raise `ValueError` if it is not finished."""
        if self._finish is None:
            raise ValueError("the text is not finished")
        if self._finish != "stop":
            self._append_text(self._stream.flush())
        return DecodingResult(tuple(self._tokens), tuple(self._logprobs), self._text, self._finish)

    def _append_text(self, text: str) -> None:
        # A stop string may start in the earlier text, but not further back than its length.
        longest = max(map(len, self._stop_strings), default=0)
        start = max(0, len(self._text) - longest)
        self._text += text
        matches = [at for stop in self._stop_strings if (at := self._text.find(stop, start)) >= 0]
        if matches:
            self._text = self._text[: min(matches)]
            self._finish = "stop"


def max_tokens_for(duration_s: float) -> int:
    """Return the most tokens that are generated for a window."""
    return math.ceil(TOKENS_PER_S * duration_s) + TOKEN_MARGIN


def max_positions(tokenizer: Tokenizer, chunks: int, languages: Iterable[str | None]) -> int:
    """Return the positions that a slot needs for any window of so many chunks and languages."""
    prompts = [len(transcription_prompt(tokenizer, chunks, language)) for language in languages]
    return max(prompts) + max_tokens_for(CHUNK_S * chunks)


def _check_limits(max_tokens: int | None, stop: Sequence[str]) -> None:
    if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
        raise UsageError(
            f"'max_tokens' is {max_tokens!r}. Give a whole number of at least 1, or leave it out."
        )
    if isinstance(stop, str) or not all(isinstance(text, str) and text for text in stop):
        raise UsageError("'stop' must be a list of strings, none of them empty.")


def _overlap(text: str, stop: str) -> int:
    """Return how many of the stop string's first characters, not all, end the text."""
    longest = min(len(stop) - 1, len(text))
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
