"""`DecodingState`: one text on its way, token by token. No computation of logits here.

How it begins is told by who begins it: `transcription` and `answering`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.errors import UsageError
from voxgate.voxtral.sampling import Sampler, Sampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from voxgate.voxtral.draft import Draft
    from voxgate.voxtral.guidance import Guidance
    from voxgate.voxtral.sampling import GreedyChoice
    from voxgate.voxtral.tokenizer import Tokenizer

FinishReason: TypeAlias = Literal["end", "stop", "length", "runaway"]
"""Why a text ended: at an end token, a stop string, `max_tokens`, or the cap for its duration."""


@dataclass(frozen=True, slots=True)
class DecodingResult:
    """One finished text."""

    token_ids: tuple[int, ...]  # as generated, without the prompt and the end token
    logprobs: tuple[float, ...]  # of each token, in nats, under the model's own distribution
    text: str
    finish: FinishReason

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities; None without tokens."""
        return math.exp(fmean(self.logprobs)) if self.logprobs else None


class DecodingState:
    """A prompt with its sounds, a sampler and the tokens generated so far.

    The caller computes the logits after the prompt, then the logits after each token, until
    `choose_next` returns False. One text alone and several in a batch are decoded in the same way.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        prompt: Sequence[int],
        sounds: Sequence[Tensor],
        max_tokens: int,
        *,
        finish_at_limit: FinishReason = "length",
        stop: Sequence[str] = (),
        sampling: Sampling | None = None,
        guidance: Guidance | None = None,
        drop_language_tag: bool = False,
        draft: Draft | None = None,
    ) -> None:
        """Begin after a prompt of token ids, whose [AUDIO] tokens stand for `sounds`.

        Each sound is what `prepare_samples` returned. `finish_at_limit` is why a text of
        `max_tokens` ends. `guidance` says which tokens may come. `draft` is what the text will
        probably be: it is of use where the most likely token is always chosen, and changes nothing.
        Raises `UsageError` for an invalid `stop`.
        """
        check_stop(stop)
        sampling = sampling or Sampling()
        self.prompt, self.sounds = prompt, sounds
        self.max_tokens = max_tokens
        self._finish_at_limit = finish_at_limit
        self._sampler = Sampler(sampling)
        self._guidance = guidance
        self._draft = draft if sampling.greedy and guidance is None else None
        self._stop_tokens = tokenizer.stop_tokens
        self._stop_strings = tuple(stop)
        self._stream = tokenizer.stream(drop_language_tag=drop_language_tag)
        self._tokens: list[int] = []
        self._logprobs: list[float] = []
        self._text = ""
        self._finish: FinishReason | None = None

    @property
    def max_positions(self) -> int:
        """The most positions that this text needs in its cache slot."""
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

    @property
    def agreement(self) -> float:
        """The share of the draft's tokens that were right lately; 0 without a draft."""
        return self._draft.agreement if self._draft else 0.0

    def propose(self, most: int) -> list[int]:
        """Return what comes next by the draft, at most so many tokens and none beyond the limit.

        A caller may have the model compute the logits after each of them in the same pass as those
        after `last_token`. It appends tokens one by one as ever: the logits after a proposed token
        count where that token was chosen.
        """
        left = self.max_tokens - len(self._tokens) - 1  # the pass itself gives a token
        return self._draft.propose(min(most, left)) if self._draft else []

    def mask(self) -> Tensor | None:
        """Return which tokens may come next, bool [at most vocabulary]; None where all may.

        Waits for it: it was begun with the last token. Raises `UsageError` (`unsupported_schema`)
        where the schema turns out to be too complex.
        """
        return None if self._guidance is None else self._guidance.mask()

    def choose_next(self, logits: Tensor, greedy: GreedyChoice | None = None) -> bool:
        """Choose the next token from logits [vocabulary]; False when the text is finished.

        `greedy`, a choice with `mask`, is passed to `Sampler.choose`. Raises `EngineError`
        (`engine_refused`) if the logits are not finite, and what `mask` raises.
        """
        return self.append(*self._sampler.choose(logits, greedy, self.mask()))

    def append(self, token: int, logprob: float) -> bool:
        """Append a token; False when the text is finished."""
        if token in self._stop_tokens:
            self._finish = "end"
            return False
        if self._guidance is not None:
            self._guidance.accept(token)
        if self._draft is not None:
            self._draft.follow(token)
        self._tokens.append(token)
        self._logprobs.append(logprob)
        self._append_text(self._stream.push(token))
        if self._finish is None and len(self._tokens) >= self.max_tokens:
            self._finish = "end" if self._is_complete() else self._finish_at_limit
        if self._finish is None and self._guidance is not None:
            self._guidance.prepare()  # beside the model's next step
        return self._finish is None

    def _is_complete(self) -> bool:
        """Whether only the end token can follow, which needs no step."""
        return self._guidance is not None and self._guidance.finished

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


def check_max_tokens(max_tokens: int | None) -> None:
    """Raise `UsageError` for anything but a whole number of at least 1, or None."""
    if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
        raise UsageError(
            f"'max_tokens' is {max_tokens!r}. Give a whole number of at least 1, or leave it out."
        )


def check_stop(stop: Sequence[str]) -> None:
    """Raise `UsageError` for anything but a list of texts, none of them empty."""
    if isinstance(stop, str) or not all(isinstance(text, str) and text for text in stop):
        raise UsageError("'stop' must be a list of strings, none of them empty.")


def _overlap(text: str, stop: str) -> int:
    """Return how many of the stop string's first characters, not all, end the text."""
    start = max(0, len(text) - len(stop) + 1)
    while (start := text.find(stop[0], start)) >= 0:
        if stop.startswith(text[start:]):
            return len(text) - start
        start += 1
    return 0
