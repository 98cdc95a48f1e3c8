"""`Trace`: how long each stage of a recording took, and every attempt at its windows.

The same call measures a stage and is its span for OpenTelemetry.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from voxgate import tracing
from voxgate.pipeline.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span

    from voxgate.pipeline.attempt import Attempt


class StageTimes:
    """The time that named stages of one recording took, measured while they run.

    Stages overlap: sound is recognised while more of it is decoded. So the time of several stages
    together is the length of their union, not their sum. Only totals are kept, one for each set of
    stages that ran at the same time: twelve hours of sound have 100 000 intervals.
    """

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()
        self._seconds: defaultdict[frozenset[str], float] = defaultdict(float)
        self._names: dict[str, None] = {}
        self._counted_until = time.monotonic()  # all time before this is in `_seconds`

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time that passes inside the context, also when it raises, without a span."""
        self._count()
        self._running[name] += 1
        try:
            yield
        finally:
            self._count()
            self._running[name] -= 1
            self._names[name] = None

    @contextmanager
    def span(self, name: str) -> Iterator[Span]:
        """Measure a stage, and be its span inside the context."""
        with self.measure(name), tracing.span(name) as opened:
            yield opened

    @property
    def names(self) -> tuple[str, ...]:
        """The stages that were measured, in the order in which each first ended."""
        return tuple(self._names)

    def seconds(self, *names: str) -> float:
        """Return for how long at least one of these stages has been running, until now."""
        self._count()
        return sum(
            seconds for stages, seconds in self._seconds.items() if stages.intersection(names)
        )

    def _count(self) -> None:
        now = time.monotonic()
        stages = frozenset(name for name, count in self._running.items() if count)
        self._seconds[stages] += now - self._counted_until
        self._counted_until = now


@dataclass(slots=True)
class Trace:
    """Filled while a recording is transcribed. What it holds remains when the recording fails.

    `stages` has the stages `decode` (decoding and speech detection), `draft`, `provider` and
    `align`.
    `attempts` are the attempts at all windows, in the order in which they ended. `shares` say whose
    text is final.
    """

    stages: StageTimes = field(default_factory=StageTimes)
    attempts: list[Attempt] = field(default_factory=list)
    shares: Shares = field(default_factory=Shares)

    @property
    def failures(self) -> tuple[Attempt, ...]:
        """The failed attempts, each cause once."""
        failed = {each.sentence: each for each in self.attempts if each.error}
        return tuple(failed.values())
