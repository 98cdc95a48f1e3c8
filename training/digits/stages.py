"""The training plan: short crops first, because full windows cost sixty times as much."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

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
    frozen: bool = False  # the encoder keeps its weights
    answers: int = 1  # prompts for each clip
    questions: float = 0.0  # share of the prompts with sound that ask; the others transcribe
    data: float = 0.6  # share of the questions whose answer is JSON
    own: float = 0.1  # share of these in Voxgate's own words, which are long
    texts: float = 0.0  # share of the batches that ask about a text; these need `digit` 0
    transcripts: float = 0.0  # share of these texts that are as Voxgate writes them
    repeats: float = 0.0  # share of the digits that are said again

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

_CROPS = Stage(
    name="questions",
    steps=400,
    rows=3,
    digits=(1, 8),
    weights=Weights(0.0, 0.5, 1.0),
    rate=(1e-3, 8e-4),
    spread=0.1,
    frozen=True,
    answers=3,
    questions=0.7,
    texts=0.1,
    repeats=0.1,
)
_WINDOWS = replace(
    _CROPS,
    rows=2,
    digits=(1, 9),
    weights=Weights(0.0, 0.4, 1.0),
    rate=(8e-4, 1e-5),
    windows=True,
    transcripts=0.7,
)
_DATA = replace(_CROPS, own=0.3, transcripts=0.7)
_DATA_IN_WINDOWS = replace(_WINDOWS, own=0.3)

ANSWERS = (
    _CROPS,
    replace(_WINDOWS, name="questions in windows", steps=240, spread=0.2, texts=0.15),
    replace(  # digits between commas are harder to count than words
        _DATA,
        name="data",
        steps=280,
        digits=(3, 9),
        rate=(1.2e-3, 6e-4),
        questions=0.85,
        data=0.85,
    ),
    replace(
        _DATA_IN_WINDOWS,
        name="data in windows",
        steps=60,
        rate=(1.2e-3, 1e-5),
        questions=0.75,
        data=0.75,
    ),
    replace(
        _DATA,
        name="all answers",
        steps=240,
        digits=(1, 9),
        rate=(1e-3, 6e-4),
        questions=0.9,
        data=0.75,
        texts=0.15,
    ),
    replace(_DATA_IN_WINDOWS, name="all answers in windows", steps=100, questions=0.8, data=0.7),
    replace(
        _DATA,
        name="long answers",
        steps=200,
        digits=(5, 9),
        weights=Weights(0.0, 0.4, 1.0),
        rate=(8e-4, 4e-4),
        questions=0.8,
        data=0.85,
    ),
    replace(
        _DATA_IN_WINDOWS,
        name="long answers in windows",
        steps=120,
        digits=(2, 9),
        rate=(6e-4, 1e-5),
        questions=0.8,
        data=0.85,
    ),
)
"""After the plan: a checkpoint that transcribes learns to answer, too.

The encoder is frozen. It hears digits already, and several prompts then share its work.
"""
