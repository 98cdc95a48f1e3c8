"""`Metrics`: what a monitoring system reads of one server, in Prometheus' text format.

Counters and histograms begin with the server's process; what must outlive it is in the ledger. No
label has a caller's own text: a model's name is one that this server knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from voxgate.ledger.amounts import json_dollars
from voxgate.prices import SAMPLES_PER_S
from voxgate.providers.inspection import inspect_engines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.api.jobs import Jobs
    from voxgate.ledger.generation import Outcome
    from voxgate.providers.inspection import LoadedEngine
    from voxgate.settings import Settings

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
"""The upper bounds of the buckets of durations."""

FACTORS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
"""Those of real-time factors."""


class Metrics:
    """The counters of one server. `exposition` reads the rest from where it is kept."""

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
        self._tokens = Counter("voxgate_tokens", "What models wrote.", ["model"], registry=registry)
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
        self._recordings = Gauge("voxgate_recordings", "Recordings under way.", registry=registry)
        self._waiting = Gauge(
            "voxgate_waiting_windows",
            "Windows that wait for a model.",
            ["model"],
            registry=registry,
        )
        self._windows = Gauge(
            "voxgate_engine_windows",
            "Windows in an engine: computed now (active), or queued.",
            ["model", "state"],
            registry=registry,
        )
        self._memory = Gauge(
            "voxgate_engine_memory_bytes",
            "Resident memory of a model's engine.",
            ["model"],
            registry=registry,
        )

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

    async def exposition(self, settings: Settings, jobs: Jobs, waiting: Mapping[str, int]) -> bytes:
        """Return everything as Prometheus reads it. `waiting` are the windows, by model."""
        self._recordings.set(len(jobs.unfinished))
        for model, count in waiting.items():
            self._waiting.labels(model).set(count)
        self._set_engines(await inspect_engines(settings))
        return generate_latest(self._registry)

    def _set_engines(self, engines: list[LoadedEngine]) -> None:
        """Set the gauges of the engines of this home; one that ended has none."""
        self._windows.clear()
        self._memory.clear()
        for engine in engines:
            model, health = engine.record.model, engine.health
            if health is not None:
                self._windows.labels(model, "active").inc(health.active)
                self._windows.labels(model, "queued").inc(health.queued)
            if engine.memory_bytes is not None:
                self._memory.labels(model).inc(engine.memory_bytes)
