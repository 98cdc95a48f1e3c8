"""Whether a device computes what transformers does on it, and its graphs what eager steps do."""

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
GREEDY = 24  # ids that are compared
SLOTS = 5
COMPANIES = [[0], [4, 1], [0, 2], [3], [2, 0, 4, 3], [4, 3, 2, 1, 0]]
"""Whose tokens are taken together, step by step."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Of one type."""

    dtype: str
    largest: float  # difference of logits from transformers'
    mean: float
    spread: float  # standard deviation of the logits themselves, to compare with
    same_ids: int  # greedy ids until the first that differs
    ids: int
    steps_are_equal: bool  # recorded and eager ones, to the bit; on a processor both are eager


def parities(device: torch.device) -> Iterator[Parity]:
    """In float32 and in bfloat16, with the small checkpoint that hears digits."""
    torch.backends.cudnn.allow_tf32 = False  # a card's convolutions would drop 13 bits of float32
    for dtype in (torch.float32, torch.bfloat16):
        ours = Ours(CHECKPOINT, device, dtype, GREEDY, graphs=True)
        features = log_mel(prepare_samples(synthetic_sound()), ours.model.config.encoder.mels)
        peer = Peer(CHECKPOINT, device, dtype, ours.prompt, features)
        theirs = peer.generate(1, GREEDY)
        # A step behind the prompt for each of the reference's own ids.
        logits, ids = _forced(ours, theirs[:-1])
        expected = peer.logits(theirs[:-1])
        parted = (n for n, pair in enumerate(zip(ids, theirs, strict=True)) if len({*pair}) > 1)
        off = (logits - expected).abs()
        yield Parity(
            str(dtype).removeprefix("torch."), float(off.max()), float(off.mean()),
            float(expected.std()), next(parted, GREEDY), GREEDY, _equal(ours),
        )  # fmt: skip


def _forced(ours: Ours, continuation: list[int]) -> tuple[torch.Tensor, list[int]]:
    """Our logits [1 + tokens, vocabulary], each behind the tokens given, and our choices."""
    model = ours.model
    (audio,) = run_to_end(model.encode([synthetic_sound()]))
    cache = model.new_cache(1, len(ours.prompt) + GREEDY, static=True)
    slot = cache.allocate()
    rows = [run_to_end(model.prefill(cache, slot, ours.prompt, audio))]
    rows += [run_to_end(model.step(cache, [slot], [token]))[0] for token in continuation]
    logits = torch.stack(rows)
    return logits, logits.argmax(-1).tolist()


def _equal(ours: Ours) -> bool:
    recorded = _stepped(ours.model, ours.prompt)
    graphs, ours.model.use_graphs = ours.model.use_graphs, False
    eager = _stepped(ours.model, ours.prompt)
    ours.model.use_graphs = graphs
    return torch.equal(recorded, eager)


def _stepped(model: Voxtral, prompt: list[int]) -> torch.Tensor:
    (audio,) = run_to_end(model.encode([synthetic_sound()]))
    cache = model.new_cache(SLOTS, len(prompt) + len(COMPANIES), static=True)
    for _ in range(SLOTS):
        run_to_end(model.prefill(cache, cache.allocate(), prompt, audio))
    return torch.cat(
        [run_to_end(model.step(cache, slots, [7 + slot for slot in slots])) for slots in COMPANIES]
    )
