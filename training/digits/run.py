"""One training from beginning to end: the stages of the plan, and what is kept of them."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from training.digits import model as models
from training.digits import tekken
from training.digits.checkpoint import save
from training.digits.probes import Probes
from training.digits.recordings import TRAINING_TAKES, Recordings, speakers
from training.digits.stages import PLAN
from training.digits.trainer import Trainer

SPEEDS = (0.86, 0.93, 1.0, 1.07, 1.16)

SNAPSHOT = 100
"""Steps of the last stage between two checkpoints in the scratch folder."""


def train(
    out: Path,
    *,
    seed: int,
    threads: int,
    holdout: str | None = None,
    shorter: float = 1.0,
    scratch: Path | None = None,
) -> None:
    """Train by the plan and write the checkpoint.

    `holdout` is a speaker to leave out; `shorter` is the share of each stage's steps to do. Each
    stage's weights are kept in `scratch`; a run that finds some there goes on after them, with the
    same result, because every stage begins with a fresh optimiser and random numbers of its own.
    """
    if holdout is not None and holdout not in speakers():
        raise SystemExit(f"There is no speaker {holdout}, only {', '.join(speakers())}.")
    torch.manual_seed(seed)  # the probes' weights; all else draws from generators of its own
    torch.set_num_threads(1)
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        vocabulary = Path(folder) / "tekken.json"
        tekken.write(vocabulary)
        words = tekken.Words(vocabulary)
    heard = [name for name in speakers() if name != holdout]
    recordings = Recordings.load(heard, TRAINING_TAKES, SPEEDS)
    model, probes = models.new(seed), Probes()
    models.freeze_positions(model)
    trainer = Trainer(model.train(), probes, recordings, words, seed, threads)
    print(f"{sum(weight.numel() for weight in model.parameters())} weights", flush=True)
    for number, stage in enumerate(PLAN):
        kept = scratch / f"{number}.pt" if scratch else None
        if kept and kept.exists():
            _restore(trainer, kept)
            continue
        for step in trainer.run(number, replace(stage, steps=max(1, round(shorter * stage.steps)))):
            if scratch and stage.windows and step % SNAPSHOT == 0:
                save(model, scratch / f"{number}-{step}")
        if kept:
            _keep(trainer, kept)
        print(f"{stage.name}: done after {time.monotonic() - began:.0f} s", flush=True)
    save(model, out)


def _keep(trainer: Trainer, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save([trainer.model.state_dict(), trainer.probes.state_dict()], path)


def _restore(trainer: Trainer, path: Path) -> None:
    model, probes = torch.load(path, weights_only=True)
    trainer.model.load_state_dict(model)
    trainer.probes.load_state_dict(probes)
