"""Choosing the next token: greedy, or drawn from a seeded generator.

Penalties and ranges are OpenAI's: they count what was generated, not the prompt. The draw happens
on the processor in float64, so that a seed means the same on every device.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import torch

from voxgate.errors import EngineRefusedError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

SAMPLING_RANGES = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "frequency_penalty": (-2.0, 2.0),
    "presence_penalty": (-2.0, 2.0),
}
"""Both ends included (openrouter-api.md 2.7)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. Raises `UsageError`, which names the value, for one out of range."""

    temperature: float = 0.0  # 0 takes the likeliest token
    top_p: float = 1.0  # draw from the fewest tokens that have this probability together
    seed: int | None = None  # None draws differently each time
    frequency_penalty: float = 0.0  # off a token's logit for each time it was generated
    presence_penalty: float = 0.0  # off the logit of each token that was generated at all

    def __post_init__(self) -> None:
        for name, (least, most) in SAMPLING_RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not least <= value <= most:
                raise UsageError(
                    f"'{name}' is {value!r}, and goes from {least:g} to {most:g}. Choose a value "
                    f"in between, or leave it out."
                )
        if self.seed is not None and type(self.seed) is not int:
            raise UsageError(f"'seed' is {self.seed!r}. Give a whole number, or leave it out.")


class Likeliest(NamedTuple):
    """The token with the largest logit of a row."""

    token: int
    logprob: float  # nats
    finite: bool  # whether all of the row are numbers


def find_likeliest(rows: Tensor) -> list[Likeliest]:
    """Of each row of logits [rows, vocabulary], all computed where they are and sent at once."""
    rows = rows.detach().float()
    tokens = rows.argmax(-1)  # the first of several, on every device
    logprobs = rows.gather(1, tokens[:, None])[:, 0] - rows.logsumexp(-1)
    finite = torch.isfinite(rows).all(-1)
    sent = torch.stack((tokens.double(), logprobs.double(), finite.double()), dim=1)
    return [
        Likeliest(int(token), logprob, bool(numbers)) for token, logprob, numbers in sent.tolist()
    ]


class Sampler:
    """Chooses the tokens of one sequence, one after another."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._counts: Counter[int] = Counter()
        # Python's, which mixes every bit of a seed; PyTorch's looks at the lower 32 alone.
        seed = None if sampling.seed is None else str(sampling.seed)
        self._random = Random(seed)  # noqa: S311 (nothing secret is drawn)

    def choose(self, logits: Tensor, likeliest: Likeliest | None = None) -> tuple[int, float]:
        """The next token for these logits [vocabulary], and its log-probability in nats.

        The log-probability is the model's own, before penalties and temperature. Whoever knows
        the `likeliest` token already, of many rows at once, says it. Raises `EngineRefusedError`
        where the logits are no numbers.
        """
        if self._plain:  # it is chosen where the logits are: only the choice leaves a card
            (found,) = [likeliest] if likeliest else find_likeliest(logits[None])
            if not found.finite:
                raise _no_number()
            self._counts[found.token] += 1
            return found.token, found.logprob
        logits = logits.detach().to("cpu", torch.float32)
        if not bool(torch.isfinite(logits).all()):
            raise _no_number()
        token = self._token(self._penalised(logits))
        self._counts[token] += 1
        return token, float(logits[token] - logits.logsumexp(0))

    @property
    def _plain(self) -> bool:
        """Whether the likeliest token is always the one."""
        one = self._sampling
        return not (one.temperature or one.frequency_penalty or one.presence_penalty)

    def _penalised(self, logits: Tensor) -> Tensor:
        sampling = self._sampling
        if not self._counts or not (sampling.frequency_penalty or sampling.presence_penalty):
            return logits
        logits = logits.clone()
        tokens = torch.tensor(list(self._counts))
        counts = torch.tensor(list(self._counts.values()))
        logits[tokens] -= sampling.frequency_penalty * counts + sampling.presence_penalty
        return logits

    def _token(self, logits: Tensor) -> int:
        if self._sampling.temperature == 0:
            return int(logits.argmax())
        # From the largest logit, lest a temperature near zero overflows.
        scaled = (logits.double() - logits.max()) / self._sampling.temperature
        likeliest, tokens = scaled.softmax(0).sort(descending=True, stable=True)
        before = likeliest.cumsum(0) - likeliest
        kept = likeliest[before < max(self._sampling.top_p, math.ulp(0.0))]
        drawn = self._random.random() * kept.sum()
        place = int(torch.searchsorted(kept.cumsum(0), drawn, right=True))
        return int(tokens[min(place, len(kept) - 1)])


def _no_number() -> EngineRefusedError:
    return EngineRefusedError(
        "The model computed something that is no number. Its weights are damaged, or too large for "
        "their type: get the checkpoint again, or load it as float32."
    )
