"""One sound on its way to text, token by token. What computes the tokens is not here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.errors import UsageError
from voxgate.voxtral.features import CHUNK_S, SAMPLE_RATE, chunks_of, samples_of
from voxgate.voxtral.prompt import transcription_prompt
from voxgate.voxtral.sampling import Sampler, Sampling

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from torch import Tensor

    from voxgate.voxtral.sampling import Likeliest
    from voxgate.voxtral.tokenizer import Tokenizer


# MERGED voxtral.generation
# `DecodingResult`: what a pass gave; `TextDraft`: the same while it is being written. No tensors
# here.

TOKENS_PER_S, TOKEN_MARGIN = 14, 32
"""More tokens than fast speech has: whoever writes more is going round in circles.

14 a second is advice from the field (voxtral-model.md E.2); the margin is for very short sounds.
"""

FinishReason: TypeAlias = Literal["end", "stop", "length", "runaway"]
"""Why a text ended: by itself, at a stop string, at `max_tokens`, or at the cap for its sound."""


@dataclass(frozen=True, slots=True)
class DecodingResult:
    """The result of one pass."""

    token_ids: tuple[int, ...]  # as generated, without prompt and end
    logprobs: tuple[float, ...]  # of each token, in nats, under the model's own distribution
    text: str
    finish: FinishReason

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities; None without tokens."""
        return math.exp(fmean(self.logprobs)) if self.logprobs else None


def max_tokens_for(seconds: float) -> int:
    """The most tokens that are taken for a sound."""
    return math.ceil(TOKENS_PER_S * seconds) + TOKEN_MARGIN


class TextDraft:
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
        most = max_tokens_for(seconds)
        self.limit = min(most, max_tokens or most)  # tokens, at most
        self._at_limit: FinishReason = "length" if max_tokens == self.limit else "runaway"
        self._stops = tokenizer.stops
        self._stop = tuple(stop)
        self._stream = tokenizer.stream()
        self._tokens: list[int] = []
        self._logprobs: list[float] = []
        self._text = ""
        self._finish: FinishReason | None = None

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

    def generation(self) -> DecodingResult:
        """What was written, once it is finished."""
        if self._finish is None:
            raise ValueError("the text is not finished")
        if self._finish != "stop":
            self._write(self._stream.flush())
        return DecodingResult(tuple(self._tokens), tuple(self._logprobs), self._text, self._finish)

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


class DecodingState:
    """A sound with its prompt, and the text that is being written of it.

    Whoever runs it alone and whoever runs several together take the same steps: the prompt, then
    one token behind another until `take` says that the text is finished.
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
        """`Voxtral.generate` says what these mean, and what is raised for them."""
        self.sound = samples_of(samples)
        self.seconds = len(self.sound) / SAMPLE_RATE
        self._draft = TextDraft(tokenizer, self.seconds, max_tokens, stop)
        self.prompt = transcription_prompt(tokenizer, chunks_of(self.sound), language)
        self._sampler = Sampler(sampling or Sampling())

    @property
    def positions(self) -> int:
        """The most that its slot of a cache has to hold."""
        return len(self.prompt) + self._draft.limit

    @property
    def settled(self) -> str:
        """The text so far, as far as nothing can change it any more."""
        return self._draft.settled

    @property
    def last(self) -> int:
        """The token that was taken last, and has to go through the model next."""
        return self._draft.last

    def take(self, logits: Tensor, likeliest: Likeliest | None = None) -> bool:
        """Choose the next token of these logits [vocabulary]; False when the text is finished.

        `likeliest` is for who knows it already. Raises `EngineRefusedError` where they are no
        numbers.
        """
        return self._draft.push(*self._sampler.choose(logits, likeliest))

    def generation(self) -> DecodingResult:
        """What was written, once it is finished."""
        return self._draft.generation()


def max_positions(tokenizer: Tokenizer, chunks: int, languages: Iterable[str | None]) -> int:
    """What a slot has to hold for any sound of so many chunks, in any of these languages."""
    prompts = [len(transcription_prompt(tokenizer, chunks, language)) for language in languages]
    return max(prompts) + max_tokens_for(CHUNK_S * chunks)
