"""`ServerState`: what a server is doing at this moment, as Prometheus' metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from voxgate._version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from voxgate.providers.inspection import LoadedEngine


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """The disk of one folder, in bytes."""

    free: int
    size: int


@dataclass(frozen=True, slots=True)
class ServerState:
    """What is read when Prometheus asks."""

    ready: bool
    recordings: int  # under way
    most_recordings: int
    unrecorded: int  # outcomes that wait for the ledger
    ledger_failures: int  # since the start
    waiting: Mapping[str, int]  # windows that wait for a model, by its name
    engines: Sequence[LoadedEngine]
    steps: Mapping[str, BatchSteps]  # by model
    disks: Mapping[str, DiskSpace]  # by the setting that names the folder
    canary_rates: Mapping[str, float]  # word error rates by endpoint
    regressed: Mapping[str, bool]  # by endpoint: of those that canaries were sent through

    def families(self) -> Iterator[Metric]:
        """Yield the metrics. A model without an engine has none of an engine."""
        version = _by_label({__version__: 1})
        yield _gauge("voxgate_build_info", "The server's version.", ["version"], version)
        yield GaugeMetricFamily(
            "voxgate_ready", "1 while the server takes work and reads its ledger.", self.ready
        )
        yield GaugeMetricFamily("voxgate_recordings", "Recordings under way.", self.recordings)
        yield GaugeMetricFamily(
            "voxgate_recordings_limit", "The most recordings at once.", self.most_recordings
        )
        yield GaugeMetricFamily(
            "voxgate_unrecorded_outcomes", "Outcomes that wait for the ledger.", self.unrecorded
        )
        yield CounterMetricFamily(
            "voxgate_ledger_failures", "Failed reads and writes.", self.ledger_failures
        )
        help_ = "Windows that wait for a model."
        yield _gauge("voxgate_waiting_windows", help_, ["model"], _by_label(self.waiting))
        help_ = "Errors of the last canaries by words of their references."
        rates = _by_label(self.canary_rates)
        yield _gauge("voxgate_canary_word_error_rate", help_, ["endpoint"], rates)
        help_ = "1 while an endpoint recognises canaries worse than it did."
        yield _gauge("voxgate_canary_regressed", help_, ["endpoint"], _by_label(self.regressed))
        yield from self._engine_families()
        for name, help_ in (("free", "Free bytes"), ("size", "All bytes")):
            values = {folder: getattr(disk, name) for folder, disk in self.disks.items()}
            name_ = f"voxgate_disk_{name}_bytes"
            yield _gauge(name_, f"{help_} of a folder's disk.", ["folder"], _by_label(values))

    def _engine_families(self) -> Iterator[Metric]:
        windows, memory, slots = Counter[tuple[str, ...]](), Counter[str](), Counter[str]()
        for engine in self.engines:
            model = engine.record.model
            if engine.health is not None:
                windows[model, "active"] += engine.health.active
                windows[model, "queued"] += engine.health.queued
                slots[model] = max(slots[model], engine.health.slots)
            if engine.memory_bytes is not None:
                memory[model] += engine.memory_bytes
        help_ = "Windows in an engine: computed now (active), or queued."
        yield _gauge("voxgate_engine_windows", help_, ["model", "state"], windows)
        help_ = "Resident memory of a model's engine."
        yield _gauge("voxgate_engine_memory_bytes", help_, ["model"], _by_label(memory))
        help_ = "The most windows in one step of a model's engine."
        yield _gauge("voxgate_engine_slots", help_, ["model"], _by_label(slots))
        steps = CounterMetricFamily("voxgate_engine_steps", "Steps of engines.", labels=["model"])
        in_steps = CounterMetricFamily(
            "voxgate_engine_step_windows", "Windows in the steps of engines.", labels=["model"]
        )
        for model, taken in self.steps.items():
            steps.add_metric([model], taken.steps)
            in_steps.add_metric([model], taken.windows)
        yield from (steps, in_steps)


@dataclass(frozen=True, slots=True)
class BatchSteps:
    """Steps, and the windows in all of them together."""

    steps: int = 0
    windows: int = 0

    def __add__(self, other: BatchSteps) -> BatchSteps:
        return BatchSteps(self.steps + other.steps, self.windows + other.windows)

    def __sub__(self, other: BatchSteps) -> BatchSteps:
        return BatchSteps(self.steps - other.steps, self.windows - other.windows)


class StepTotals:
    """The steps of all engines by model, also of those that have ended: a counter never falls.

    What an engine does between the last question and its end is not counted.
    """

    def __init__(self) -> None:
        self._seen: dict[int, BatchSteps] = {}  # by process
        self.by_model: dict[str, BatchSteps] = {}

    def add(self, engines: Sequence[LoadedEngine]) -> None:
        """Add what engines have done since they were last added."""
        seen = {}
        for engine in engines:
            if engine.health is None:
                continue
            model, pid = engine.record.model, engine.record.pid
            seen[pid] = BatchSteps(engine.health.steps, engine.health.step_windows)
            new = seen[pid] - self._seen.get(pid, BatchSteps())
            self.by_model[model] = self.by_model.get(model, BatchSteps()) + new
        self._seen |= seen
        living = {engine.record.pid for engine in engines}
        self._seen = {pid: steps for pid, steps in self._seen.items() if pid in living}


def _gauge(
    name: str, help_: str, labels: list[str], values: Mapping[tuple[str, ...], float]
) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=labels)
    for labelled, value in values.items():
        family.add_metric(labelled, value)
    return family


def _by_label(values: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(label,): value for label, value in values.items()}
