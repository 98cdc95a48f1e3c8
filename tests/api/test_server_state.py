"""The counters of engines, which come and go while their server stays."""

from __future__ import annotations

from voxgate.api.server_state import BatchSteps, StepTotals
from voxgate.engine.protocol import Health
from voxgate.models.running import EngineRecord
from voxgate.providers.inspection import LoadedEngine


def engine(pid: int, steps: int | None, model: str = "a/b") -> LoadedEngine:
    """An engine that has taken so many steps of two windows; None: it does not answer."""
    record = EngineRecord(pid=pid, model=model, socket="", started_at="")
    health = Health(
        model=model, pid=pid, state="", active=0, queued=0, taken=0, steps=steps or 0,
        step_windows=2 * (steps or 0),
    )  # fmt: skip
    return LoadedEngine(record, health if steps is not None else None, None)


def test_steps_never_fall_when_engines_end_or_do_not_answer() -> None:
    totals = StepTotals()
    seen = []
    for engines in (
        [engine(1, 10)],
        [engine(1, 12), engine(2, 5)],
        [engine(1, None), engine(2, 6)],  # stalls
        [engine(1, 13), engine(2, 6)],
        [engine(2, 7)],  # the first one has ended
        [],
        [engine(1, 3)],  # another one, with its number
    ):
        totals.add(engines)
        seen.append(totals.by_model["a/b"].steps)
    assert seen == [10, 17, 18, 19, 20, 20, 23]
    assert totals.by_model == {"a/b": BatchSteps(23, 46)}
    totals.add([engine(4, 1, "c/d")])
    assert totals.by_model["c/d"] == BatchSteps(1, 2)
