"""The training plan: short crops first, because full windows cost sixty times as much."""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.digits.losses import Weights

SHARDS = 4
"""Batches per step. Free threads take them, and their gradients are added in order, so that the
result depends on the seed only, not on the threads."""

WARM_UP = 60


@dataclass(frozen=True)
class Stage:
    """A number of steps over one kind of batch."""

    name: str
    steps: int
    rows: int  # of each of the SHARDS batches, at least
    digits: tuple[int, int]  # fewest and most in a clip
    weights: Weights
    rate: tuple[float, float]  # learning rate at the beginning and at the end
    spread: float = 0.0  # share of layouts with long lead-ins, pauses and tails
    windows: bool = False  # full windows of 30 s instead of crops

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step: a warm-up, then half a cosine."""
        first, last = self.rate
        falling = (1 + math.cos(math.pi * step / self.steps)) / 2
        return (last + (first - last) * falling) * min(1.0, (step + 1) / WARM_UP)


PLAN = (
    Stage("one digit", 500, 16, (1, 1), Weights(1.0), (2e-3, 2e-3), spread=0.03),
    Stage("short crops", 700, 8, (1, 3), Weights(0.5, 0.3, 1.0), (2e-3, 2e-3), spread=0.05),
    Stage("crops", 900, 5, (1, 10), Weights(0.4, 0.5, 1.0), (2e-3, 6e-4), spread=0.15),
    Stage(
        "windows", 400, 2, (1, 9), Weights(0.2, 0.3, 1.0), (8e-4, 1e-5), spread=0.4, windows=True
    ),
)
