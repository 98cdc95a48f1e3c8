"""A complete training: run the stages of the plan and save checkpoints."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from transformers import VoxtralForConditionalGeneration

from training.digits import model as models
from training.digits import tekken
from training.digits.checkpoint import save
from training.digits.probes import Probes
from training.digits.recordings import TRAINING_TAKES, Recordings, speakers
from training.digits.stages import ANSWERS, PLAN
from training.digits.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from training.digits.stages import Stage

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
    names = [name for name in speakers() if name != holdout]
    trainer = _trainer(lambda: models.new_model(seed), names, seed, threads)
    _run(trainer, _numbered(PLAN, 0, shorter), out, scratch)


def train_answers(
    checkpoint: Path,
    out: Path,
    *,
    seed: int,
    threads: int,
    shorter: float = 1.0,
    scratch: Path | None = None,
) -> None:
    """Train a checkpoint that transcribes to answer questions too; parameters as those of `train`.

    New probes start with the checkpoint's weights.
    """

    def load() -> VoxtralForConditionalGeneration:
        model: VoxtralForConditionalGeneration = VoxtralForConditionalGeneration.from_pretrained(
            str(checkpoint), dtype=torch.float32
        )
        config: Any = model.config
        for part in (config.audio_config, config.text_config):
            part.dtype = None  # the files are bfloat16, whatever was computed with
        return model

    trainer = _trainer(load, speakers(), seed, threads)
    _run(trainer, _numbered(ANSWERS, len(PLAN), shorter), out, scratch)


def _trainer(
    create: Callable[[], VoxtralForConditionalGeneration],
    names: Sequence[str],
    seed: int,
    threads: int,
) -> Trainer:
    torch.manual_seed(seed)  # the probes' weights; everything else uses its own generator
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        vocabulary = Path(folder) / "tekken.json"
        tekken.write(vocabulary)
        words = tekken.Words(vocabulary)
    recordings = Recordings.load(names, TRAINING_TAKES, SPEEDS)
    model, probes = create(), Probes()
    weights = sum(weight.numel() for weight in model.parameters())
    print(f"{weights} weights, seed {seed}", flush=True)
    return Trainer(model.train(), probes, recordings, words, seed, threads)


def _numbered(plan: Sequence[Stage], first: int, shorter: float) -> dict[int, Stage]:
    """Return the stages by their numbers, which their random numbers depend on."""
    return {
        number: replace(stage, steps=max(1, round(shorter * stage.steps)))
        for number, stage in enumerate(plan, first)
    }


def _run(trainer: Trainer, plan: Mapping[int, Stage], out: Path, scratch: Path | None) -> None:
    began = time.monotonic()
    for number, stage in plan.items():
        saved = scratch / f"{number}.pt" if scratch else None
        if saved and saved.exists():
            _restore(trainer, saved)
            continue
        for step in trainer.run(number, stage):
            if scratch and stage.windows and step % SNAPSHOT == 0:
                save(trainer.model, scratch / f"{number}-{step}")
        if saved:
            _save_stage(trainer, saved)
        print(f"{stage.name}: done after {time.monotonic() - began:.0f} s", flush=True)
    save(trainer.model, out)


def _save_stage(trainer: Trainer, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save([trainer.model.state_dict(), trainer.probes.state_dict()], path)


def _restore(trainer: Trainer, path: Path) -> None:
    model, probes = torch.load(path, weights_only=True)
    trainer.model.load_state_dict(model)
    trainer.probes.load_state_dict(probes)
