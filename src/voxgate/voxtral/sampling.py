"""Choose the next token: greedily, or at random with a seed.

Penalties and ranges are OpenAI's: they count generated tokens, not the prompt. Random choices are
made on the CPU in float64, so that a seed gives the same tokens on every device.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn.functional import pad

from voxgate.errors import EngineError, UsageError
from voxgate.voxtral.upload import upload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from voxgate.transcript.values import Options

SAMPLING_RANGES = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "frequency_penalty": (-2.0, 2.0),
    "presence_penalty": (-2.0, 2.0),
}
"""Lowest and highest value, both included (openrouter-api.md 2.7)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. Raises `UsageError` for a value out of range."""

    temperature: float = 0.0  # 0 chooses the most likely token
    top_p: float = 1.0  # sample from the fewest tokens with this total probability
    seed: int | None = None  # None gives other tokens each time
    frequency_penalty: float = 0.0  # subtracted from a token's logit for each occurrence
    presence_penalty: float = 0.0  # subtracted once from the logit of each generated token

    def __post_init__(self) -> None:
        for name, (lowest, highest) in SAMPLING_RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not lowest <= value <= highest:
                raise UsageError(
                    f"'{name}' is {value!r}. Give a number from {lowest:g} to {highest:g}, or "
                    f"leave it out."
                )
        if self.seed is not None and type(self.seed) is not int:
            raise UsageError(f"'seed' is {self.seed!r}. Give a whole number, or leave it out.")

    @property
    def greedy(self) -> bool:
        """Whether the most likely token is always chosen."""
        return not (self.temperature or self.frequency_penalty or self.presence_penalty)

    @classmethod
    def from_options(cls, options: Options) -> Sampling:
        """Return how a caller's options have tokens chosen."""
        return cls(
            temperature=options.temperature,
            top_p=options.top_p,
            seed=options.seed,
            frequency_penalty=options.frequency_penalty,
            presence_penalty=options.presence_penalty,
        )


class GreedyChoice(NamedTuple):
    """The token with the largest logit of a row."""

    token: int
    logprob: float  # nats
    finite: bool  # whether all logits of the row are finite


def choose_greedily(
    rows: Tensor, masks: Sequence[Tensor | None] | None = None
) -> list[GreedyChoice]:
    """Return the most likely token of each row of logits [rows, vocabulary].

    A row's mask, bool [at most vocabulary], says which tokens may be chosen; None allows all. The
    log-probability is the model's own, without the mask. Computes on the device of the logits and
    copies all results to the CPU at once. Raises `EngineError` (`engine_refused`) for a mask that
    allows nothing.
    """
    rows = rows.detach().float()
    width = rows.shape[1]
    tokens = rows.argmax(-1)  # the first of several, on every device
    possible = torch.ones_like(tokens, dtype=torch.bool)
    masked = {row: _fit(mask, width) for row, mask in enumerate(masks or ()) if mask is not None}
    if masked:
        index = upload(torch.tensor([*masked]), rows.device)
        allowed = upload(torch.stack([*masked.values()]), rows.device)
        tokens[index] = rows[index].where(allowed, -torch.inf).argmax(-1)
        possible[index] = allowed.gather(1, tokens[index, None])[:, 0]
    logprobs = rows.gather(1, tokens[:, None])[:, 0] - _normalizers(rows)
    # Both are NaN where a number is. A test of every number would take ten times as long.
    finite = torch.isfinite(rows.amax(-1)) & torch.isfinite(rows.amin(-1))
    columns = (tokens.double(), logprobs.double(), finite.double(), possible.double())
    table = torch.stack(columns, dim=1).tolist()
    if any(is_finite and not is_possible for _, _, is_finite, is_possible in table):
        raise _nothing_allowed()
    return [
        GreedyChoice(int(token), logprob, bool(is_finite)) for token, logprob, is_finite, _ in table
    ]


def _normalizers(rows: Tensor) -> Tensor:
    """Return the logarithm of each row's sum of exponentials.

    On a CPU row by row: the sum of one row alone is divided between threads, and those of several
    rows are not, so that the last bits would depend on how many rows there are.
    """
    if rows.is_cpu:
        return torch.stack([row.logsumexp(-1) for row in rows])
    return rows.logsumexp(-1)


class Sampler:
    """Chooses the tokens of one sequence, one after the other."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._counts: Counter[int] = Counter()
        # Python's generator mixes every bit of a seed; PyTorch's reads the lower 32 only.
        seed = None if sampling.seed is None else str(sampling.seed)
        self._random = Random(seed)  # noqa: S311 (not used for secrets)

    def choose(
        self, logits: Tensor, greedy: GreedyChoice | None = None, mask: Tensor | None = None
    ) -> tuple[int, float]:
        """Return the next token for logits [vocabulary], and its log-probability in nats.

        The log-probability is the model's own, before penalties, mask and temperature. `mask`, bool
        [at most vocabulary], says which tokens may be chosen; None allows all. `greedy` is the
        result of `choose_greedily` with the same mask if the caller has it, from many rows at once.
        Raises `EngineError` (`engine_refused`) if the logits are not finite or the mask allows
        nothing.
        """
        if self._sampling.greedy:  # computed on the logits' device: only the choice leaves a GPU
            (choice,) = [greedy] if greedy else choose_greedily(logits[None], [mask])
            if not choice.finite:
                raise _not_finite()
            self._counts[choice.token] += 1
            return choice.token, choice.logprob
        logits = logits.detach().to("cpu", torch.float32)
        if not bool(torch.isfinite(logits).all()):
            raise _not_finite()
        weighed = self._penalize(logits)
        if mask is not None:
            if not bool(mask.any()):
                raise _nothing_allowed()
            weighed = weighed.where(_fit(mask, len(logits)), -torch.inf)
        token = self._draw(weighed)
        self._counts[token] += 1
        return token, float(logits[token] - logits.logsumexp(0))

    def _penalize(self, logits: Tensor) -> Tensor:
        sampling = self._sampling
        if not self._counts or not (sampling.frequency_penalty or sampling.presence_penalty):
            return logits
        logits = logits.clone()
        tokens = torch.tensor(list(self._counts))
        counts = torch.tensor(list(self._counts.values()))
        logits[tokens] -= sampling.frequency_penalty * counts + sampling.presence_penalty
        return logits

    def _draw(self, logits: Tensor) -> int:
        if self._sampling.temperature == 0:
            return int(logits.argmax())
        # Subtract the largest logit: a temperature near zero would overflow otherwise.
        scaled = (logits.double() - logits.max()) / self._sampling.temperature
        probabilities, tokens = scaled.softmax(0).sort(descending=True, stable=True)
        before = probabilities.cumsum(0) - probabilities
        within = before < max(self._sampling.top_p, math.ulp(0.0))
        nucleus = probabilities[within & (probabilities > 0)]  # what is forbidden is never drawn
        drawn = self._random.random() * nucleus.sum()
        rank = int(torch.searchsorted(nucleus.cumsum(0), drawn, right=True))
        return int(tokens[min(rank, len(nucleus) - 1)])


def _fit(mask: Tensor, width: int) -> Tensor:
    """Return a mask [width]. Ids beyond the tokenizer's are not allowed."""
    return mask if len(mask) == width else pad(mask, (0, width - len(mask)))


def _nothing_allowed() -> EngineError:
    return EngineError(
        "No token may come next in an answer by a schema. This is a bug of Voxgate's engine: "
        "report it with the schema.",
        code="engine_refused",
    )


def _not_finite() -> EngineError:
    return EngineError(
        "The model computed a logit that is not finite. Its weights are damaged, or too large for "
        "their type: get the checkpoint again, or load it as float32.",
        code="engine_refused",
    )
