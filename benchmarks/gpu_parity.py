"""Parity on a device: logits against transformers, CUDA graphs against eager steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks.gpu_engines import Ours, Peer
from voxgate.benchmarking.window import synthetic_sound
from voxgate.voxtral.features import log_mel, prepare_samples
from voxgate.voxtral.resumable import run_to_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.voxtral.model import Voxtral

CHECKPOINT = Path(__file__).parent.parent / "tests" / "data" / "voxtral-digits"
GREEDY = 24  # ids compared
SLOTS = 5
BATCHES = [[0], [4, 1], [0, 2], [3], [2, 0, 4, 3], [4, 3, 2, 1, 0]]
"""The slots of each step."""


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparison in one dtype."""

    dtype: str
    largest: float  # difference of logits
    mean: float
    spread: float  # standard deviation of the logits, for comparison
    same_ids: int  # greedy ids until the first that differs
    ids: int
    steps_are_equal: bool  # graphs and eager steps, bit by bit; on a CPU both are eager


def measure_parity(device: torch.device) -> Iterator[Parity]:
    """Compare in float32 and in bfloat16, with the small digits checkpoint."""
    torch.backends.cudnn.allow_tf32 = False  # TF32 convolutions drop 13 bits of float32
    for dtype in (torch.float32, torch.bfloat16):
        ours = Ours(CHECKPOINT, device, dtype, GREEDY, graphs=True)
        features = log_mel(prepare_samples(synthetic_sound()), ours.model.config.encoder.mels)
        peer = Peer(CHECKPOINT, device, dtype, ours.prompt, features)
        theirs = peer.generate(1, GREEDY)
        # After the prompt, a step for each of the reference's ids.
        logits, ids = _teacher_forced(ours, theirs[:-1])
        expected = peer.logits(theirs[:-1])
        differing = (n for n, pair in enumerate(zip(ids, theirs, strict=True)) if len({*pair}) > 1)
        differences = (logits - expected).abs()
        yield Parity(
            str(dtype).removeprefix("torch."), float(differences.max()), float(differences.mean()),
            float(expected.std()), next(differing, GREEDY), GREEDY, _graphs_equal_eager(ours),
        )  # fmt: skip


def _teacher_forced(ours: Ours, continuation: list[int]) -> tuple[torch.Tensor, list[int]]:
    """Return logits [1 + tokens, vocabulary] after the given tokens, and the choices."""
    model = ours.model
    (audio,) = run_to_end(model.encode([synthetic_sound()]))
    cache = model.new_cache(1, len(ours.prompt) + GREEDY, static=True)
    slot = cache.allocate()
    rows = [run_to_end(model.prefill(cache, slot, ours.prompt, audio))]
    rows += [run_to_end(model.step(cache, [slot], [token]))[0] for token in continuation]
    logits = torch.stack(rows)
    return logits, logits.argmax(-1).tolist()


def _graphs_equal_eager(ours: Ours) -> bool:
    replayed = _run_batches(ours.model, ours.prompt)
    graphs, ours.model.use_graphs = ours.model.use_graphs, False
    eager = _run_batches(ours.model, ours.prompt)
    ours.model.use_graphs = graphs
    return torch.equal(replayed, eager)


def _run_batches(model: Voxtral, prompt: list[int]) -> torch.Tensor:
    (audio,) = run_to_end(model.encode([synthetic_sound()]))
    cache = model.new_cache(SLOTS, len(prompt) + len(BATCHES), static=True)
    for _ in range(SLOTS):
        run_to_end(model.prefill(cache, cache.allocate(), prompt, audio))
    return torch.cat(
        [run_to_end(model.step(cache, slots, [7 + slot for slot in slots])) for slots in BATCHES]
    )
