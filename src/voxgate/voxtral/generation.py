"""`Generation`: what a pass gave; `Draft`: the same while it is being written. No tensors here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.voxtral.tokenizer import Tokenizer

TOKENS_PER_S, MARGIN = 14, 32
"""More tokens than fast speech has: whoever writes more is going round in circles.

14 a second is advice from the field (voxtral-model.md E.2); the margin is for very short sounds.
"""

Finish: TypeAlias = Literal["end", "stop", "length", "runaway"]
"""Why a text ended: by itself, at a stop string, at `max_tokens`, or at the cap for its sound."""


@dataclass(frozen=True, slots=True)
class Generation:
    """The result of one pass."""

    token_ids: tuple[int, ...]  # as generated, without prompt and end
    logprobs: tuple[float, ...]  # of each token, in nats, under the model's own distribution
    text: str
    finish: Finish

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities; None without tokens."""
        return math.exp(fmean(self.logprobs)) if self.logprobs else None


def cap(seconds: float) -> int:
    """The most tokens that are taken for a sound."""
    return math.ceil(TOKENS_PER_S * seconds) + MARGIN


class Draft:
    """Takes tokens until the text is finished."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        seconds: float,
        max_tokens: int | None = None,
        stop: Sequence[str] = (),
    ) -> None:
        """`seconds` of sound set the cap. Raises `UsageError` for limits that mean nothing."""
        if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
            raise UsageError(
                f"'max_tokens' is {max_tokens!r}. Give a whole number from 1 on, or leave it out."
            )
        if isinstance(stop, str) or not all(isinstance(text, str) and text for text in stop):
            raise UsageError("'stop' must be a list of texts, none of them empty.")
        most = cap(seconds)
        self.limit = min(most, max_tokens or most)  # tokens, at most
        self._at_limit: Finish = "length" if max_tokens == self.limit else "runaway"
        self._stops = tokenizer.stops
        self._stop = tuple(stop)
        self._stream = tokenizer.stream()
        self._tokens: list[int] = []
        self._logprobs: list[float] = []
        self._text = ""
        self._finish: Finish | None = None

    @property
    def last(self) -> int:
        """The token that was taken last."""
        return self._tokens[-1]

    @property
    def settled(self) -> str:
        """The beginning of the text that nothing can change any more: it grows, and never shrinks.

        What may yet turn out to be the beginning of a stop string is not in it.
        """
        if self._finish is not None:
            return self._text
        held = max((_begun(stop, self._text) for stop in self._stop), default=0)
        return self._text[: len(self._text) - held]

    def push(self, token: int, logprob: float) -> bool:
        """Take the next token; False when the text is finished and no more is wanted."""
        if token in self._stops:
            self._finish = "end"
            return False
        self._tokens.append(token)
        self._logprobs.append(logprob)
        self._write(self._stream.push(token))
        if self._finish is None and len(self._tokens) >= self.limit:
            self._finish = self._at_limit
        return self._finish is None

    def generation(self) -> Generation:
        """What was written, once it is finished."""
        if self._finish is None:
            raise ValueError("the text is not finished")
        if self._finish != "stop":
            self._write(self._stream.flush())
        return Generation(tuple(self._tokens), tuple(self._logprobs), self._text, self._finish)

    def _write(self, text: str) -> None:
        # A stop string may begin in what is there already, but not further back than its length.
        longest = max(map(len, self._stop), default=0)
        start = max(0, len(self._text) - longest)
        self._text += text
        places = [at for stop in self._stop if (at := self._text.find(stop, start)) >= 0]
        if places:
            self._text = self._text[: min(places)]
            self._finish = "stop"


def _begun(stop: str, text: str) -> int:
    """How many of the stop's first characters, not all, are the text's last."""
    longest = min(len(stop) - 1, len(text))
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
