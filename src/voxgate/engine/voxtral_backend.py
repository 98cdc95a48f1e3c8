"""Voxtral as a `Backend`: many windows of PCM16 at once, each to one segment of text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from voxgate.engine.batch_scheduler import BatchScheduler
from voxgate.errors import CheckpointError
from voxgate.hardware.memory import free_bytes
from voxgate.voxtral.features import CHUNK_S
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.quantization.profiles import parse_profile
from voxgate.voxtral.transcription import max_positions

if TYPE_CHECKING:
    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec

CACHE_SHARE = 0.5  # of the memory that is free once the model is loaded


def load_voxtral(spec: ModelSpec) -> VoxtralBackend:
    """Load the model. Raise `CheckpointError` or `InsufficientMemoryError`."""
    if spec.checkpoint is None:
        raise CheckpointError(f"{spec.name} has no folder of weights. Name the folder instead.")
    model = Voxtral.load(spec.checkpoint, parse_profile(spec.profile or "exact"), spec.device)
    return VoxtralBackend(spec.name, spec.capabilities, model)


class VoxtralBackend:
    """Voxtral with as many windows at once as memory allows for their keys and values."""

    def __init__(self, name: str, capabilities: Capabilities, model: Voxtral) -> None:
        self.name = name
        self.capabilities = capabilities
        self._model = model

    def scheduler(self) -> BatchScheduler:
        """Start a scheduler with `capabilities.concurrency` slots, or fewer for want of memory."""
        chunks = math.ceil(self.capabilities.window_s / CHUNK_S)
        languages = (None, *self.capabilities.languages)
        capacity = max_positions(self._model.tokenizer, chunks, languages)
        budget = int(CACHE_SHARE * free_bytes(self._model.device))
        static = self._model.use_graphs
        slot_bytes = self._model.slot_bytes(capacity, static=static)
        slots = affordable_slots(self.capabilities.concurrency, slot_bytes, budget)
        cache = self._model.new_cache(slots, capacity, static=static)
        if static:
            self._model.record_graphs(cache)
        return BatchScheduler(self._model, cache)


def affordable_slots(slots: int, slot_bytes: int, budget: int) -> int:
    """Return how many of `slots` fit into `budget` bytes; at least one, since the model did fit."""
    return max(1, min(slots, budget // slot_bytes))
