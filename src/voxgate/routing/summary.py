"""`HealthSummary`: how an endpoint has done lately, as a plain value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from voxgate.histograms import Percentiles

PauseReason: TypeAlias = Literal["rate_limited", "failing"]
HealthState: TypeAlias = Literal["normal", "degraded", "last_resort", "unstable", PauseReason]

NORMAL_UPTIME = 95.0  # percent; below it an endpoint is degraded
LOWEST_UPTIME = 80.0  # below it an endpoint is a last resort


@dataclass(frozen=True, slots=True)
class SpanFigures:
    """What the attempts of one span of time add up to; None where they are too few."""

    attempts: int = 0  # that succeeded or failed
    uptime: float | None = None  # percent
    latency_s: Percentiles | None = None  # wall seconds of an attempt that succeeded
    first_text_s: Percentiles | None = None  # from its beginning to its first text
    throughput: Percentiles | None = None  # seconds of sound in a second


@dataclass(frozen=True, slots=True)
class Pause:
    """An endpoint must not be asked until then, by the clock of its `HealthBook`."""

    reason: PauseReason
    until: float


@dataclass(frozen=True, slots=True)
class HealthSummary:
    """One endpoint at one moment."""

    last_5m: SpanFigures = field(default_factory=SpanFigures)
    last_30m: SpanFigures = field(default_factory=SpanFigures)
    last_1d: SpanFigures = field(default_factory=SpanFigures)
    unstable: bool = False  # it failed too often within the last 30 s
    pause: Pause | None = None
    regressed: bool = False  # canaries have more errors than they had: `voxgate.canaries`

    def state(self, now: float) -> HealthState:
        """Return how the endpoint is chosen at a moment of the clock of its `HealthBook`."""
        if self.pause is not None and self.pause.until > now:
            return self.pause.reason
        if self.unstable:
            return "unstable"
        if self.uptime is None or self.uptime >= NORMAL_UPTIME:
            return "normal"
        return "degraded" if self.uptime >= LOWEST_UPTIME else "last_resort"

    @property
    def uptime(self) -> float | None:
        """The percentage by which endpoints are chosen: of 5 minutes, else of 30.

        Not of a day: an endpoint that is asked last has no attempts by which it could recover.
        """
        return self.last_5m.uptime if self.last_5m.uptime is not None else self.last_30m.uptime

    @property
    def latency_s(self) -> Percentiles | None:
        """The latency by which endpoints are chosen: of the shortest span that has one."""
        return self.last_5m.latency_s or self.last_30m.latency_s or self.last_1d.latency_s

    @property
    def throughput(self) -> Percentiles | None:
        """The throughput by which endpoints are chosen: of the shortest span that has one."""
        return self.last_5m.throughput or self.last_30m.throughput or self.last_1d.throughput


UNKNOWN_HEALTH = HealthSummary()
"""Of an endpoint that was never asked."""
