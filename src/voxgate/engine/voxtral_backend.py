"""Voxtral as a `Backend`: windows of PCM16, many at once, each to one segment of text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from voxgate.engine.batch_scheduler import BatchScheduler
from voxgate.engine.planner import RESERVED
from voxgate.errors import CheckpointError
from voxgate.hardware.memory import free_bytes
from voxgate.voxtral.decoding import max_positions
from voxgate.voxtral.features import CHUNK_S
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.quantization.profiles import parse_profile

if TYPE_CHECKING:
    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec

CACHE_SHARE = 0.5  # of the memory that is free once the model is loaded


def load_voxtral(spec: ModelSpec) -> VoxtralBackend:
    """The model, ready. Raises `CheckpointError` and `InsufficientMemoryError`."""
    if spec.checkpoint is None:
        raise CheckpointError(f"{spec.name} has no folder of weights. Name the folder itself.")
    model = Voxtral.load(spec.checkpoint, parse_profile(spec.profile or "exact"), spec.device)
    return VoxtralBackend(spec.name, spec.capabilities, model)


class VoxtralBackend:
    """As many windows at once as memory has room for their keys and values."""

    def __init__(self, name: str, capabilities: Capabilities, model: Voxtral) -> None:
        self.name = name
        self.capabilities = capabilities
        self._model = model

    def scheduler(self) -> BatchScheduler:
        """Its slots are those that capabilities announce, and one for live windows alone."""
        chunks = math.ceil(self.capabilities.window_s / CHUNK_S)
        languages = (None, *self.capabilities.languages)
        capacity = max_positions(self._model.tokenizer, chunks, languages)
        budget = int(CACHE_SHARE * free_bytes(self._model.device))
        wanted = self.capabilities.concurrency + RESERVED
        static = self._model.graphs
        slots = affordable_slots(wanted, self._model.slot_bytes(capacity, static=static), budget)
        cache = self._model.cache(slots, capacity, static=static)
        if static:
            self._model.record(cache)
        return BatchScheduler(self._model, cache)


def affordable_slots(slots: int, slot_bytes: int, budget: int) -> int:
    """So many slots, or as many as the budget has room for, or one: the model itself did fit."""
    return max(1, min(slots, budget // slot_bytes))
