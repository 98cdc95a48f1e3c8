"""Voxtral as a `Recogniser`: windows of PCM16, many at once, each to one segment of text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from voxgate.engine.batch import Batch
from voxgate.engine.rounds import RESERVED
from voxgate.errors import CheckpointError
from voxgate.voxtral.features import CHUNK_S
from voxgate.voxtral.hearing import most_positions
from voxgate.voxtral.memory import free_bytes
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.profiles import named

if TYPE_CHECKING:
    from voxgate.engine.capabilities import Capabilities
    from voxgate.engine.catalogue import ModelSpec

CACHE_SHARE = 0.5  # of the memory that is free once the model is loaded


def load(spec: ModelSpec) -> VoxtralRecogniser:
    """The model, ready. Raises `CheckpointError` and `InsufficientMemoryError`."""
    if spec.checkpoint is None:
        raise CheckpointError(f"{spec.name} has no folder of weights. Name the folder itself.")
    model = Voxtral.load(spec.checkpoint, named(spec.profile or "exact"), spec.device)
    return VoxtralRecogniser(spec.name, spec.capabilities, model)


class VoxtralRecogniser:
    """As many windows at once as memory has room for their keys and values."""

    def __init__(self, name: str, capabilities: Capabilities, model: Voxtral) -> None:
        self.name = name
        self.capabilities = capabilities
        self._model = model

    def scheduler(self) -> Batch:
        """Its slots are those that capabilities announce, and one for live windows alone."""
        chunks = math.ceil(self.capabilities.window_s / CHUNK_S)
        languages = (None, *self.capabilities.languages)
        capacity = most_positions(self._model.tokenizer, chunks, languages)
        budget = int(CACHE_SHARE * free_bytes(self._model.device))
        wanted = self.capabilities.concurrency + RESERVED
        static = self._model.graphs
        slots = affordable(wanted, self._model.slot_bytes(capacity, static=static), budget)
        cache = self._model.cache(slots, capacity, static=static)
        if static:
            self._model.record(cache)
        return Batch(self._model, cache)


def affordable(slots: int, slot_bytes: int, budget: int) -> int:
    """So many slots, or as many as the budget has room for, or one: the model itself did fit."""
    return max(1, min(slots, budget // slot_bytes))
