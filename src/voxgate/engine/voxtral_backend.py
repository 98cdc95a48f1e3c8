"""Voxtral as a `Backend`: many windows at once, each to one segment of text, and answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from voxgate.engine.batch_scheduler import BatchScheduler
from voxgate.errors import CheckpointError
from voxgate.hardware.cores import thread_count
from voxgate.hardware.memory import free_bytes
from voxgate.voxtral.features import CHUNK_S
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.quantization.profiles import parse_profile
from voxgate.voxtral.transcription import max_positions

if TYPE_CHECKING:
    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec
    from voxgate.voxtral.kv_cache import KVCache

CACHE_SHARE = 0.5  # of the memory that is free once the model is loaded

ANSWER_SLOTS = 4
"""Answers at once. A step of several costs little more than one of one; their memory is large."""

LEAST_ANSWER_POSITIONS = 2048
"""What a question and its answer have even where memory is short: two minutes of sound."""


def load_voxtral(spec: ModelSpec) -> VoxtralBackend:
    """Load the model. Raise `CheckpointError` or `InsufficientMemoryError`."""
    if spec.checkpoint is None:
        raise CheckpointError(f"{spec.name} has no folder of weights. Name the folder instead.")
    torch.set_num_threads(thread_count())
    model = Voxtral.load(spec.checkpoint, parse_profile(spec.profile or "exact"), spec.device)
    return VoxtralBackend(spec.name, spec.capabilities, model, spec.context_tokens)


class VoxtralBackend:
    """Voxtral with as many windows and answers at once as memory allows for keys and values.

    `context_tokens` are those of a question and its answer together, at most.
    """

    def __init__(
        self, name: str, capabilities: Capabilities, model: Voxtral, context_tokens: int
    ) -> None:
        self.name = name
        self.capabilities = capabilities
        self._model = model
        self._context_tokens = context_tokens

    def scheduler(self) -> BatchScheduler:
        """Start a scheduler with slots for windows and for answers.

        There are `capabilities.concurrency` and `ANSWER_SLOTS` of them, or fewer for want of
        memory: windows come first.
        """
        budget = int(CACHE_SHARE * free_bytes(self._model.device))
        static = self._model.use_graphs
        windows = self._window_cache(budget, static=static)
        if static:
            self._model.record_graphs(windows)
        # An answer's lengths are too many to record their graphs now: each is when it comes.
        answers = self._answer_cache(budget - windows.nbytes, static=static)
        return BatchScheduler(self._model, windows, answers)

    def _window_cache(self, budget: int, *, static: bool) -> KVCache:
        chunks = math.ceil(self.capabilities.window_s / CHUNK_S)
        languages = (None, *self.capabilities.languages)
        capacity = max_positions(self._model.tokenizer, chunks, languages)
        slot_bytes = self._model.slot_bytes(capacity, static=static)
        slots = affordable_slots(self.capabilities.concurrency, slot_bytes, budget)
        return self._model.new_cache(slots, capacity, static=static)

    def _answer_cache(self, budget: int, *, static: bool) -> KVCache:
        positions = min(self._context_tokens, self._model.config.decoder.context)
        position_bytes = self._model.slot_bytes(positions, static=static) / positions
        capacity = affordable_positions(positions, position_bytes, budget)
        slot_bytes = self._model.slot_bytes(capacity, static=static)
        slots = affordable_slots(ANSWER_SLOTS, slot_bytes, budget)
        return self._model.new_cache(slots, capacity, static=static)


def affordable_slots(slots: int, slot_bytes: int, budget: int) -> int:
    """Return how many of `slots` fit into `budget` bytes; at least one, since the model did fit."""
    return max(1, min(slots, budget // slot_bytes))


def affordable_positions(positions: int, position_bytes: float, budget: int) -> int:
    """Return how many of a slot's positions fit into `budget` bytes.

    At least `LEAST_ANSWER_POSITIONS`, or all of them where they are fewer.
    """
    fitting = max(LEAST_ANSWER_POSITIONS, int(budget / position_bytes))
    return min(positions, fitting)
