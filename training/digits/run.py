"""A complete training: run the stages of the plan and save checkpoints."""

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
"""Steps of the last stage between two checkpoints in the scratch directory."""


def train(
    out: Path,
    *,
    seed: int,
    threads: int,
    holdout: str | None = None,
    shorter: float = 1.0,
    scratch: Path | None = None,
) -> None:
    """Train according to the plan and write the checkpoint.

    `holdout` is a speaker to leave out; `shorter` is the share of each stage's steps to run. Each
    stage's weights are saved in `scratch`. A later run resumes after the saved stages with the same
    result, because every stage has a new optimizer and its own random numbers.
    """
    if holdout is not None and holdout not in speakers():
        raise SystemExit(f"Unknown speaker {holdout}. Choose one of {', '.join(speakers())}.")
    torch.manual_seed(seed)  # the probes' weights; everything else uses its own generator
    torch.set_num_threads(1)
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        vocabulary = Path(folder) / "tekken.json"
        tekken.write(vocabulary)
        words = tekken.Words(vocabulary)
    training_speakers = [name for name in speakers() if name != holdout]
    recordings = Recordings.load(training_speakers, TRAINING_TAKES, SPEEDS)
    model, probes = models.new_model(seed), Probes()
    models.freeze_positions(model)
    trainer = Trainer(model.train(), probes, recordings, words, seed, threads)
    print(f"{sum(weight.numel() for weight in model.parameters())} weights", flush=True)
    for number, stage in enumerate(PLAN):
        saved = scratch / f"{number}.pt" if scratch else None
        if saved and saved.exists():
            _restore(trainer, saved)
            continue
        for step in trainer.run(number, replace(stage, steps=max(1, round(shorter * stage.steps)))):
            if scratch and stage.windows and step % SNAPSHOT == 0:
                save(model, scratch / f"{number}-{step}")
        if saved:
            _save_stage(trainer, saved)
        print(f"{stage.name}: done after {time.monotonic() - began:.0f} s", flush=True)
    save(model, out)


def _save_stage(trainer: Trainer, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save([trainer.model.state_dict(), trainer.probes.state_dict()], path)


def _restore(trainer: Trainer, path: Path) -> None:
    model, probes = torch.load(path, weights_only=True)
    trainer.model.load_state_dict(model)
    trainer.probes.load_state_dict(probes)
