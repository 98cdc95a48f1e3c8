"""`UsageReport`: what was used in each day or month, by model, key, app, label or provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from voxgate.errors import UsageError
from voxgate.prices import NANO_PER_DOLLAR, SAMPLES_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from voxgate.ledger.activity import ActivityRow

Metric: TypeAlias = Literal["spend", "audio", "requests"]
Sorting: TypeAlias = Literal["name", "min", "max", "avg", "sum"]

METRICS: tuple[Metric, ...] = get_args(Metric)
SORTINGS: tuple[Sorting, ...] = get_args(Sorting)

MOST_DAYS = 3660
MOST_DAY_BUCKETS = 92
"""A longer range has a bucket for each month."""

MOST_SERIES = 6
"""The largest groups are drawn by themselves, and all others together."""

OTHERS = "all others"


@dataclass(frozen=True, slots=True)
class Card:
    """One metric over the whole range."""

    metric: Metric
    total: float
    average: float  # of a bucket


@dataclass(frozen=True, slots=True)
class Group:
    """One model, key, app, label or provider: the metric over the buckets of the range."""

    name: str
    min: float
    max: float
    avg: float
    sum: float


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Spend is in US dollars, audio in hours of sound, requests are a number."""

    bucket: Literal["day", "month"]
    cards: tuple[Card, ...]
    series: tuple[str, ...]
    rows: tuple[tuple[date, tuple[float, ...], bool, str], ...]
    """Of each bucket: its first day, its values by series, whether it goes on, and which of its
    days are meant where the range begins or ends within it."""

    groups: tuple[Group, ...]  # sorted


def usage_report(
    rows: Iterable[ActivityRow],
    days: tuple[date, date],
    today: date,
    *,
    metric: Metric,
    names: Mapping[str, str],
    sort: Sorting,
    descending: bool,
) -> UsageReport:
    """Return the report of rows by day and one group, of a range of days, both included.

    `names` has what is shown of a group. Raises `UsageError` for a range of too many days.
    """
    buckets = Buckets.of(*days)
    cells: dict[Metric, dict[str, dict[date, float]]] = {each: {} for each in METRICS}
    for row in rows:
        day, group = row.group
        assert isinstance(day, date)  # noqa: S101 (the first of what was asked for)
        bucket = buckets.begin(day)
        for each, value in _values(row).items():
            series = cells[each].setdefault(names.get(str(group), str(group)), {})
            series[bucket] = series.get(bucket, 0.0) + value
    groups = [_group(name, series, buckets.begins) for name, series in cells[metric].items()]
    shown, table = _table(cells[metric], groups, buckets.begins)
    running = buckets.begin(today)
    return UsageReport(
        buckets.kind,
        tuple(_card(each, cells[each], len(buckets.begins)) for each in METRICS),
        shown,
        tuple(
            (begin, values, begin == running, buckets.days_meant(begin, *days))
            for begin, values in table
        ),
        tuple(sorted(groups, key=lambda each: _order(each, sort), reverse=descending)),
    )


@dataclass(frozen=True, slots=True)
class Buckets:
    """The days or months of a range, by their first days."""

    kind: Literal["day", "month"]
    begins: tuple[date, ...]

    @classmethod
    def of(cls, since: date, until: date) -> Buckets:
        """Return the buckets of a range. Raises `UsageError` for one of too many days."""
        count = (until - since).days + 1
        if count > MOST_DAYS:
            raise UsageError(
                f"From {since} to {until} are {count:,} days, and this page shows {MOST_DAYS:,} at "
                f"most. Choose a later 'since'; `voxgate usage` on the server has all of them."
            )
        days = [since + timedelta(days=number) for number in range(count)]
        if count <= MOST_DAY_BUCKETS:
            return cls("day", tuple(days))
        return cls("month", tuple(dict.fromkeys(day.replace(day=1) for day in days)))

    def begin(self, day: date) -> date:
        """Return the first day of the bucket that a day is in."""
        return day if self.kind == "day" else day.replace(day=1)

    def days_meant(self, begin: date, since: date, until: date) -> str:
        """Return which days of a month are in the range; "" for a whole month, and for a day."""
        if self.kind == "day":
            return ""
        end = (begin + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        first, last = max(begin, since), min(end, until)
        return "" if (first, last) == (begin, end) else f"days {first.day} to {last.day}"


def _values(row: ActivityRow) -> dict[Metric, float]:
    return {
        "spend": row.nanodollars / NANO_PER_DOLLAR,
        "audio": row.audio_samples / SAMPLES_PER_S / 3600,
        "requests": row.requests,
    }


def _card(metric: Metric, series: Mapping[str, Mapping[date, float]], buckets: int) -> Card:
    total = sum(sum(values.values()) for values in series.values())
    return Card(metric, total, total / buckets)


def _group(name: str, series: Mapping[date, float], begins: Sequence[date]) -> Group:
    values = [series.get(begin, 0.0) for begin in begins]
    total = sum(values)
    return Group(name, min(values), max(values), total / len(values), total)


def _table(
    cells: Mapping[str, Mapping[date, float]], groups: Sequence[Group], begins: Sequence[date]
) -> tuple[tuple[str, ...], list[tuple[date, tuple[float, ...]]]]:
    """Return the names of the series, the largest first, and their values in each bucket."""
    largest = [each.name for each in sorted(groups, key=lambda each: (-each.sum, each.name))]
    single, rest = largest[:MOST_SERIES], largest[MOST_SERIES:]
    rows = []
    for begin in begins:
        values = [cells[name].get(begin, 0.0) for name in single]
        if rest:
            values.append(sum(cells[name].get(begin, 0.0) for name in rest))
        rows.append((begin, tuple(values)))
    return (*single, *([OTHERS] if rest else [])), rows


def _order(group: Group, sort: Sorting) -> tuple[float, str] | tuple[str]:
    name = group.name.lower()
    return (name,) if sort == "name" else (getattr(group, sort), name)
