"""The training loop: batches of a step run in parallel, their gradients are added in order."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from training.digits.batches import draw
from training.digits.losses import loss
from training.digits.model import freeze_encoder
from training.digits.stages import SHARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import VoxtralForConditionalGeneration

    from training.digits.probes import Probes
    from training.digits.recordings import Recordings
    from training.digits.stages import Stage
    from training.digits.tekken import Words

DECAY = 0.05
CLIP = 1.0
REPORT = 25
"""Steps between two lines of progress."""

Gradients = tuple[torch.Tensor | None, ...]


@dataclass(frozen=True)
class Trainer:
    """Trains a model and its probes on recordings, from a seed, with so many threads."""

    model: VoxtralForConditionalGeneration
    probes: Probes
    recordings: Recordings
    words: Words
    seed: int
    threads: int

    def run(self, number: int, stage: Stage) -> Iterator[int]:
        """Train one stage with a new optimizer; yield the number of each finished step, from 1."""
        freeze_encoder(self.model, frozen=stage.frozen)
        weights: list[torch.Tensor] = [
            weight
            for module in (self.model, self.probes)
            for weight in module.parameters()
            if weight.requires_grad
        ]
        optimizer = _optimizer(weights)
        progress = Progress(stage)
        with ThreadPoolExecutor(
            self.threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            for step in range(stage.steps):
                compute = partial(self._gradients, weights, number, stage, step)
                shards = list(pool.map(compute, range(SHARDS)))
                for weight, *parts in zip(weights, *(shard[0] for shard in shards), strict=True):
                    weight.grad = _mean(parts)
                torch.nn.utils.clip_grad_norm_(weights, CLIP)
                for group in optimizer.param_groups:
                    group["lr"] = stage.rate_at(step)
                optimizer.step()
                progress.note(step + 1, [shard[1] for shard in shards])
                yield step + 1

    def _gradients(
        self, weights: list[torch.Tensor], number: int, stage: Stage, step: int, shard: int
    ) -> tuple[Gradients, dict[str, float]]:
        random = np.random.default_rng([self.seed, number, step, shard])
        batch = draw(self.recordings, self.words, stage, random)
        error, accuracy = loss(self.model, self.probes, batch, stage.weights)
        gradients = torch.autograd.grad(error, weights, allow_unused=True)
        rows = sum(len(texts.tokens) for texts in batch.texts)
        return gradients, accuracy | {"error": float(error.detach()), "rows": rows}


def _optimizer(weights: list[torch.Tensor]) -> torch.optim.AdamW:
    """Return AdamW without weight decay for norms and biases."""
    groups = [
        {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": DECAY},
        {"params": [weight for weight in weights if weight.dim() == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98))


def _mean(parts: list[torch.Tensor | None]) -> torch.Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.stack(present).sum(0) / len(parts) if present else None


class Progress:
    """Prints accuracy and speed of a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._began = time.monotonic()
        self._notes: list[dict[str, float]] = []

    def note(self, step: int, shards: list[dict[str, float]]) -> None:
        """Add the figures of a step's shards; print a line every `REPORT` steps."""
        self._notes += shards
        if step % REPORT and step != self._stage.steps:
            return
        rows = sum(note["rows"] for note in self._notes) / (time.monotonic() - self._began)
        means = "  ".join(
            f"{name} {np.mean([note[name] for note in self._notes]):.3f}"
            for name in self._notes[0]
            if name != "rows"
        )
        print(
            f"{self._stage.name} {step}/{self._stage.steps}  {means}  {rows:.1f} rows/s", flush=True
        )
        self._notes, self._began = [], time.monotonic()
