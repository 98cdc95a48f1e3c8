"""`UsageHours`: what was asked of models by the hour, and how callers met them, for some weeks.

It is written in the transaction that ends a generation, after the sums of its day.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, tuple_

from voxgate.errors import UsageError
from voxgate.ledger.columns import utc_now
from voxgate.ledger.schema import usage_hours_table
from voxgate.ledger.upsert import upsert_statement
from voxgate.ledger.usage import FIRST_FAILURE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Insert, Select

    from voxgate.ledger.activity_query import ActivityQuery
    from voxgate.ledger.database import Database
    from voxgate.ledger.generation import Generation, Met

HOURS_KEPT = timedelta(days=40)

MOST_DAYS_BY_HOUR = 14
"""The most days that one question about hours may have."""

_USAGE = ("requests", "failures", "audio_samples", "tokens", "nanodollars")
_MEETINGS = ("answered", "saved", "unavailable")
_SUMS = (*_USAGE, *_MEETINGS)
_COUNTED_AS = {"answered": (1, 0, 0), "saved": (1, 1, 0), "unavailable": (0, 0, 1)}

_c = usage_hours_table.c


@dataclass(frozen=True, slots=True)
class UsageHour:
    """The sums of an hour of UTC, of one model."""

    hour: datetime
    requests: int
    failures: int  # requests that were answered with an error, or were given up
    audio_samples: int  # at 16 kHz
    tokens: int
    nanodollars: int
    answered: int  # of the recordings for which the model was asked first
    saved: int  # of these, where another endpoint did what the first one failed at
    unavailable: int  # of the others, without a fault of the caller


def start_of_hour(moment: datetime) -> datetime:
    """Return when the hour of UTC began in which a moment is."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def add_hours(connection: Connection, endings: Sequence[tuple[Generation, Met | None]]) -> None:
    """Add finished generations to the sums of their hours, in the caller's transaction.

    Each row is written once, and in the order of the primary keys.
    """
    sums = defaultdict[tuple[str, datetime, str], list[int]](lambda: [0] * len(_SUMS))
    for generation, met in endings:
        hour = start_of_hour(generation.finished_at or utc_now())
        key_hash = generation.key_hash or ""
        usage = (
            1,
            int((generation.status or 0) >= FIRST_FAILURE),
            generation.audio_samples or 0,
            generation.tokens or 0,
            generation.cost_nanodollars,
        )
        _add(sums[generation.model, hour, key_hash], (*usage, 0, 0, 0))
        if met is not None:
            meeting = _COUNTED_AS[met.answer]
            _add(sums[met.model, hour, key_hash], (0,) * len(_USAGE) + meeting)
    rows = [
        {"model": model, "hour": hour, "key_hash": key_hash, **dict(zip(_SUMS, row, strict=True))}
        for (model, hour, key_hash), row in sorted(sums.items())
    ]
    if rows:
        connection.execute(_add_sums(connection.dialect.name), rows)


def select_hours(question: ActivityQuery) -> Select[Any]:
    """Return the query of the sums that answer a question by the hour.

    Raises `UsageError` for what is not kept by the hour, and for too many days.
    """
    beside = {*question.group_by} - {"hour", "model", "key", "label"}
    if beside or question.provider is not None or question.app is not None:
        raise UsageError(
            "Hours are kept by model and key alone: group them by hour, model, key or label, and "
            "leave out 'provider' and 'app'."
        )
    if (question.until - question.since).days >= MOST_DAYS_BY_HOUR:
        raise UsageError(
            f"{question.since} to {question.until} has more than {MOST_DAYS_BY_HOUR} days. Ask for "
            f"fewer by hour: set 'since' and 'until'. Hours are kept for {HOURS_KEPT.days} days."
        )
    names = {"key": "key_hash", "label": "key_hash"}
    grouped = [_c[names.get(name, name)] for name in question.group_by]
    sums = [func.coalesce(func.sum(_c[name]), 0) for name in _USAGE]
    since = datetime.combine(question.since, time(), UTC)
    until = datetime.combine(question.until, time(), UTC) + timedelta(days=1)
    query = select(*grouped, *sums).where(_c.hour >= since, _c.hour < until)
    return query.where(*(_c[name] == value for name, value in question.filters.items())).group_by(
        *grouped
    )


class UsageHours:
    """The sums in a ledger. Servers that share it have them in common."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_model(
        self, model: str, since: datetime, key_hash: str | None = None
    ) -> list[UsageHour]:
        """Return the hours of a model since a moment, the oldest first; None is of all keys."""
        sums = [func.sum(_c[name]).label(name) for name in _SUMS]
        query = select(_c.hour, *sums).where(_c.model == model, _c.hour >= since)
        if key_hash is not None:
            query = query.where(_c.key_hash == key_hash)
        ordered = query.group_by(_c.hour).order_by(_c.hour)
        rows = await self._database.read(lambda connection: connection.execute(ordered).all())
        return [UsageHour(hour, *map(int, values)) for hour, *values in rows]

    async def remove_old(self, most: int) -> int:
        """Delete hours that are older than `HOURS_KEPT`, `most` at most. Return how many."""
        key = [_c.model, _c.hour, _c.key_hash]
        old = select(*key).where(_c.hour < utc_now() - HOURS_KEPT).order_by(*key).limit(most)
        statement = delete(usage_hours_table).where(tuple_(*key).in_(old))
        return await self._database.write(lambda connection: connection.execute(statement).rowcount)


def _add(sums: list[int], more: Sequence[int]) -> None:
    sums[:] = [one + other for one, other in zip(sums, more, strict=True)]


@cache
def _add_sums(dialect: str) -> Insert:
    def added(new: Mapping[str, Any]) -> dict[str, Any]:
        return {name: _c[name] + new[name] for name in _SUMS}

    return upsert_statement(dialect, usage_hours_table, added)
