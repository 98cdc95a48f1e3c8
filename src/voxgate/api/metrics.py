"""`Metrics`: what a monitoring system reads of one server, in Prometheus' text format.

Counters and histograms begin with the server's process; what must outlive it is in the ledger. No
label has a caller's own text: a model's name is one that this server knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from voxgate.api.server_state import StepTotals
from voxgate.ledger.amounts import json_dollars
from voxgate.prices import SAMPLES_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric

    from voxgate.api.server_state import ServerState
    from voxgate.ledger.generation import Outcome

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
"""The upper bounds of the buckets of durations."""

FACTORS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
"""Those of real-time factors."""


class Metrics:
    """The counters of one server, and what `exposition` is given of its state."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._responses = Counter(
            "voxgate_responses", "Responses by status.", ["status"], registry=registry
        )
        self._generations = Counter(
            "voxgate_generations",
            "Recordings that ended, by the code of their error, or ok.",
            ["model", "outcome"],
            registry=registry,
        )
        self._audio = Counter(
            "voxgate_audio_seconds", "Decoded sound transcribed.", ["model"], registry=registry
        )
        self._cost = Counter(
            "voxgate_cost_dollars", "What was charged.", ["model"], registry=registry
        )
        self._tokens = Counter(
            "voxgate_tokens", "Of what was delivered.", ["model"], registry=registry
        )
        self._duration = Histogram(
            "voxgate_generation_seconds",
            "From the start of a recording's work to its end.",
            ["model"],
            buckets=SECONDS,
            registry=registry,
        )
        self._first_text = Histogram(
            "voxgate_first_text_seconds",
            "From the start of a recording's work to its first final words.",
            ["model"],
            buckets=SECONDS,
            registry=registry,
        )
        self._real_time = Histogram(
            "voxgate_real_time_factor",
            "Seconds that a model took for a second of sound.",
            ["model"],
            buckets=FACTORS,
            registry=registry,
        )
        self.steps = StepTotals()
        self._state: ServerState | None = None
        registry.register(self)
        ProcessCollector(registry=registry)

    def responded(self, status: int) -> None:
        """Count the start of a response."""
        self._responses.labels(str(status)).inc()

    def ended(self, model: str, outcome: Outcome) -> None:
        """Count the end of a recording."""
        self._generations.labels(model, outcome.error_code or "ok").inc()
        self._cost.labels(model).inc(json_dollars(outcome.cost.nanodollars))
        self._tokens.labels(model).inc(outcome.tokens or 0)
        self._duration.labels(model).observe(outcome.latency_ms / 1e3)
        if outcome.first_text_ms is not None:
            self._first_text.labels(model).observe(outcome.first_text_ms / 1e3)
        if outcome.audio_samples:
            seconds = outcome.audio_samples / SAMPLES_PER_S
            self._audio.labels(model).inc(seconds)
            self._real_time.labels(model).observe((outcome.generation_time_ms or 0) / 1e3 / seconds)

    def exposition(self, state: ServerState) -> bytes:
        """Return everything as Prometheus reads it."""
        self._state = state
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of the last state, for the registry."""
        return self._state.families() if self._state else ()
