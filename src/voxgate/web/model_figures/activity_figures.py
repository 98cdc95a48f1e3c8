"""What was asked of a model: by the hour or the day, and by which apps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from voxgate.ledger.usage import OTHER_APPS
from voxgate.ledger.usage_hours import start_of_hour
from voxgate.prices import SAMPLES_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from voxgate.ledger.activity import ActivityRow
    from voxgate.ledger.apps import AppFacts
    from voxgate.ledger.usage_hours import UsageHour
    from voxgate.web.model_figures.figure_choice import Period

HOURS = 48
DAYS: dict[Period, int] = {"30d": 30, "1y": 365}
MOST_APPS = 20
"""The most apps that the page lists."""


@dataclass(frozen=True, slots=True)
class ActivityBucket:
    """An hour or a day of UTC."""

    start: datetime
    audio_s: float
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class ActivityFigures:
    """All buckets of a period, the oldest first. The last one goes on."""

    period: Period
    buckets: tuple[ActivityBucket, ...]

    @property
    def by_hour(self) -> bool:
        """Whether the buckets are hours; else they are days."""
        return self.period == "48h"

    @property
    def audio_s(self) -> float:
        """The seconds of sound of all."""
        return sum(each.audio_s for each in self.buckets)

    @property
    def failed(self) -> int:
        """The requests of all that failed."""
        return sum(each.failed for each in self.buckets)

    @property
    def requests(self) -> int:
        """The requests of all."""
        return self.failed + sum(each.succeeded for each in self.buckets)

    @property
    def audio_unit(self) -> tuple[str, float]:
        """The unit in which the buckets' sound is shown, and its seconds."""
        longest_s = max((each.audio_s for each in self.buckets), default=0.0)
        return ("h", 3600.0) if longest_s >= 3 * 3600 else ("min", 60.0)


@dataclass(frozen=True, slots=True)
class AppRow:
    """What one app asked of a model."""

    title: str
    address: str | None  # of its site, where that is one of the web
    categories: tuple[str, ...]
    audio_s: float
    requests: int


def hourly_activity(hours: Iterable[UsageHour], now: datetime) -> ActivityFigures:
    """Return the last `HOURS` hours."""
    known = {each.hour: each for each in hours}
    starts = [start_of_hour(now) - timedelta(hours=ago) for ago in reversed(range(HOURS))]
    return ActivityFigures("48h", tuple(_bucket(start, known.get(start)) for start in starts))


def daily_activity(rows: Iterable[ActivityRow], last: date, period: Period) -> ActivityFigures:
    """Return the days of a period to the last one, from rows that are grouped by day."""
    known = {row.group[0]: row for row in rows}
    days = [last - timedelta(days=ago) for ago in reversed(range(DAYS[period]))]
    return ActivityFigures(
        period,
        tuple(_bucket(datetime.combine(day, time(), UTC), known.get(day)) for day in days),
    )


def app_rows(rows: Sequence[ActivityRow], facts: Mapping[str, AppFacts]) -> tuple[AppRow, ...]:
    """Return the apps with the most sound, from rows that are grouped by app."""
    named = [row for row in rows if row.group[0] not in {"", OTHER_APPS}]
    ranked = sorted(named, key=lambda row: (-row.audio_samples, -row.requests, row.group))
    return tuple(_app(row, facts.get(str(row.group[0]))) for row in ranked[:MOST_APPS])


def _bucket(start: datetime, sums: UsageHour | ActivityRow | None) -> ActivityBucket:
    if sums is None:
        return ActivityBucket(start, 0.0, 0, 0)
    succeeded = sums.requests - sums.failures
    return ActivityBucket(start, sums.audio_samples / SAMPLES_PER_S, succeeded, sums.failures)


def _app(row: ActivityRow, facts: AppFacts | None) -> AppRow:
    title = str(row.group[0])
    address = facts.address if facts else title  # an app without a title has its address for one
    return AppRow(
        title,
        _of_the_web(address),
        facts.categories if facts else (),
        row.audio_samples / SAMPLES_PER_S,
        row.requests,
    )


def _of_the_web(address: str | None) -> str | None:
    """Return an address that a browser may be sent to: callers choose them, and a script is one."""
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return None
    return address if parts.scheme in {"http", "https"} and parts.netloc else None
