"""`Tally`: attempts, counted; `RollingTally`: those of the last minutes, in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from voxgate.histograms import bucket, percentiles
from voxgate.routing.summary import SpanFigures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voxgate.histograms import Percentiles

CELLS = 30
"""The parts of a span. A span forgets one at a time, so that it is up to a thirtieth too short."""

MIN_ATTEMPTS = 10
"""A figure of fewer attempts is not given: one failure of three is no uptime of 67 %."""

Ending: TypeAlias = Literal[
    "succeeded",
    "failed",  # the endpoint broke off, answered with a 5xx, or gave no text for speech
    "timed_out",
    "rate_limited",
    "refused",  # the request, which is the caller's fault
    "denied",  # the operator's key
    "cancelled",
]
FAILURES: frozenset[Ending] = frozenset({"failed", "timed_out", "denied"})
"""What counts against an endpoint. Its refusals of too many requests do not (openrouter-api.md 7).
"""


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """One attempt at an endpoint."""

    ending: Ending
    seconds: float  # wall time
    audio_s: float = 0.0  # seconds of sound that it was to recognise
    first_text_s: float | None = None  # wall time to its first text; None: there was none
    retry_after_s: float | None = None  # for which the endpoint wants to be left alone
    timed: bool = True  # False: its times are those of an answer, and say nothing of windows


class AttemptCount(NamedTuple):
    """Attempts that say how an endpoint does; others, such as refusals, do not."""

    succeeded: int = 0
    failed: int = 0

    def plus(self, other: AttemptCount) -> AttemptCount:
        """Return the sum."""
        return AttemptCount(self.succeeded + other.succeeded, self.failed + other.failed)


@dataclass(slots=True)
class Tally:
    """Counts of attempts, and histograms of those that succeeded, by `voxgate.histograms`."""

    succeeded: int = 0
    failed: int = 0
    latency: dict[int, int] = field(default_factory=dict)
    first_text: dict[int, int] = field(default_factory=dict)
    throughput: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, attempt: EndedAttempt) -> Tally:
        """Return one attempt, counted."""
        if attempt.ending != "succeeded":
            return cls(failed=int(attempt.ending in FAILURES))
        if not attempt.timed:
            return cls(1)
        speed = attempt.audio_s / attempt.seconds if attempt.seconds > 0 else 0.0
        first_text_s = attempt.first_text_s
        return cls(
            1,
            0,
            {bucket(attempt.seconds): 1},
            {} if first_text_s is None else {bucket(first_text_s): 1},
            {bucket(speed): 1} if speed > 0 else {},
        )

    def copy(self) -> Tally:
        """Return an equal tally that is not changed with this one."""
        other = Tally()
        other.add(self)
        return other

    def add(self, other: Tally, sign: Literal[1, -1] = 1) -> None:
        """Add another tally, or take it away again."""
        self.succeeded += sign * other.succeeded
        self.failed += sign * other.failed
        for mine, others in (
            (self.latency, other.latency),
            (self.first_text, other.first_text),
            (self.throughput, other.throughput),
        ):
            for index, count in others.items():
                mine[index] = mine.get(index, 0) + sign * count
                if not mine[index]:
                    del mine[index]

    def figures(self) -> SpanFigures:
        """Return what the attempts add up to."""
        attempts = self.succeeded + self.failed
        return SpanFigures(
            attempts,
            100 * self.succeeded / attempts if attempts >= MIN_ATTEMPTS else None,
            _of_enough(self.latency),
            _of_enough(self.first_text),
            _of_enough(self.throughput),
        )


class RollingTally:
    """The attempts of the last `span_s` seconds, by a clock that may jump."""

    def __init__(self, span_s: float) -> None:
        self._cell_s = span_s / CELLS
        self._cells = deque[tuple[int, Tally]]()  # in order of their numbers
        self._total, self._figures = Tally(), SpanFigures()
        self._is_stale = False  # whether `_figures` are those of an older total

    def count(self, attempt: Tally, now: float) -> None:
        """Count an attempt that ended now."""
        current = self._forget(now)
        self._add(current, attempt)

    def total(self, now: float) -> Tally:
        """Return the sum, which the caller must not change."""
        self._forget(now)
        return self._total

    def figures(self, now: float) -> SpanFigures:
        """Return what the attempts add up to."""
        self._forget(now)
        if self._is_stale:
            self._figures, self._is_stale = self._total.figures(), False
        return self._figures

    def dump(self, now: float) -> list[tuple[int, Tally]]:
        """Return each cell with its age, in cells."""
        current = self._forget(now)
        return [(current - number, tally.copy()) for number, tally in self._cells]

    def load(self, cells: Iterable[tuple[int, Tally]], now: float, elapsed_s: float) -> None:
        """Add the cells that `dump` returned so many seconds ago, the oldest first."""
        then = self._forget(now) - int(elapsed_s // self._cell_s)
        for age, tally in cells:
            self._add(then - max(0, age), tally)
        self._forget(now)

    def _add(self, number: int, tally: Tally) -> None:
        if not self._cells or self._cells[-1][0] < number:
            self._cells.append((number, Tally()))
        self._cells[-1][1].add(tally)
        self._total.add(tally)
        self._is_stale = True

    def _forget(self, now: float) -> int:
        """Drop what is older than the span, or later than now. Return the number of this cell."""
        current = int(now // self._cell_s)
        while self._cells and self._cells[0][0] <= current - CELLS:
            self._drop(self._cells.popleft()[1])
        while self._cells and self._cells[-1][0] > current:  # the clock went back
            self._drop(self._cells.pop()[1])
        return current

    def _drop(self, tally: Tally) -> None:
        self._total.add(tally, -1)
        self._is_stale = True


def _of_enough(counts: dict[int, int]) -> Percentiles | None:
    return percentiles(counts) if sum(counts.values()) >= MIN_ATTEMPTS else None
