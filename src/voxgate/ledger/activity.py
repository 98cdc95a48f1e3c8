"""`Activity`: what was asked of the server, summed by day, model, key, app or provider.

Sums and percentiles come from what `usage.py` has added up, so that a year of generations is read
within a fraction of a second, and is there when old generations are deleted.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Text, and_, cast, func, or_, select

from voxgate.errors import UsageError
from voxgate.ledger.schema import keys_table, usage_days_table, usage_histograms_table
from voxgate.ledger.speeds import UNKNOWN_SPEEDS, speeds_by_group
from voxgate.ledger.usage_hours import select_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date
    from typing import Any

    from sqlalchemy import ColumnElement, Select

    from voxgate.histograms import Percentiles
    from voxgate.ledger.activity_query import ActivityQuery, Group
    from voxgate.ledger.database import Database
    from voxgate.ledger.speeds import Speeds
    from voxgate.ledger.usage import Scope

MOST_ROWS = 10_000
"""The most rows of an answer: a year by day and model of 27 models."""

MOST_HISTOGRAMS = 50_000
"""The most histograms that an answer adds up, in memory: a year by day of 137 a day."""

_COLUMNS = {"key": "key_hash", "label": "key_hash"}  # the others have the groupings' names
_SUMS = ("requests", "failures", "audio_samples", "tokens", "nanodollars")


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """The sums of one group. Percentiles are those of successes, and None where there are none."""

    group: Group
    requests: int
    failures: int
    """Requests that were answered with an error, or were given up."""

    audio_samples: int
    """Decoded sound at 16 kHz."""

    tokens: int
    nanodollars: int
    latency_ms: Percentiles | None
    """The time from the start of a request's work to its end."""

    real_time_factor: Percentiles | None
    """The time that the model took for a second of sound, in seconds."""

    first_text_ms: Percentiles | None = None
    """The time from the start of a request's work to its first final words."""


class Activity:
    """The sums in a ledger.

    A process answers one question at a time: the reads may be long, and take their connections
    from those that check keys.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._one_at_a_time = asyncio.Lock()

    async def find(self, question: ActivityQuery) -> list[ActivityRow]:
        """Return a row for each group that has a generation, ordered by the groups.

        Raises `UsageError` for more than `MOST_ROWS` of them, and for more than `MOST_HISTOGRAMS`
        that would be added up.
        """
        return (await self.find_with_total(question))[0]

    async def find_sums(self, question: ActivityQuery) -> list[ActivityRow]:
        """Return the rows as `find` does, without percentiles: it reads no histograms."""
        async with self._one_at_a_time:
            return (await self._answer(question, with_speeds=False))[0]

    async def find_with_total(
        self, question: ActivityQuery
    ) -> tuple[list[ActivityRow], ActivityRow]:
        """Return the rows as `find` does, and their sum, which has no group.

        Raises as `find` does.
        """
        # A caller who is cancelled keeps the lock until its read has ended: see `Database`.
        async with self._one_at_a_time:
            return await self._answer(question)

    async def _answer(
        self, question: ActivityQuery, *, with_speeds: bool = True
    ) -> tuple[list[ActivityRow], ActivityRow]:
        by_hour = "hour" in question.group_by
        select_sums = select_hours if by_hour else _select_sums
        sums = await self._all(select_sums(question).limit(MOST_ROWS + 1))
        if len(sums) > MOST_ROWS:
            raise UsageError(
                f"The answer would have more than {MOST_ROWS} rows. Ask for fewer days, for one "
                f"model or key, or group by less."
            )
        counts: Sequence[Sequence[Any]] = []
        if with_speeds and not by_hour:
            counts = await self._all(_select_histograms(question))
        if len(counts) > MOST_HISTOGRAMS:
            raise UsageError(
                f"The percentiles would be of more than {MOST_HISTOGRAMS} histograms: one a day or "
                f"month, key, model, provider and app. Ask for fewer days, for one model or key, "
                f"or group by less."
            )
        groups = await self._groups(question)
        # In a thread: it may take a tenth of a second.
        speeds = await asyncio.to_thread(speeds_by_group, counts, groups)
        added = _added(sums, len(question.group_by), groups)
        total = added.pop(None)
        found = [_activity_row(group or (), values, speeds) for group, values in added.items()]
        found.sort(key=lambda row: row.group)  # here, since databases order texts differently
        rows = [row for row in found if row.requests]  # a sum of no rows is a row of zeros
        return rows, _activity_row((), total, {(): speeds[None]})

    async def _groups(self, question: ActivityQuery) -> Callable[[Group], list[Group]]:
        """Return what gives the groups that a row counts in, as the database has it by keys."""
        if "label" not in question.group_by:
            return lambda group: [group]
        query = select(keys_table.c.hash, keys_table.c.labels)
        labels: dict[Any, list[str]] = {
            hash_: labels for hash_, labels in await self._all(query) if labels
        }
        at = question.group_by.index("label")
        return lambda group: [
            (*group[:at], label, *group[at + 1 :]) for label in labels.get(group[at], [""])
        ]

    async def _all(self, query: Select[Any]) -> Sequence[Sequence[Any]]:
        return await self._database.read(lambda connection: connection.execute(query).all())


def _select_sums(question: ActivityQuery) -> Select[Any]:
    columns = usage_days_table.c
    grouped = [columns[_COLUMNS.get(name, name)] for name in question.group_by]
    sums = [func.coalesce(func.sum(columns[name]), 0) for name in _SUMS]
    days = columns.day.between(question.since, question.until)
    query = select(*grouped, *sums).where(days, *_filters(columns, question))
    return query.group_by(*grouped)


def _select_histograms(question: ActivityQuery) -> Select[Any]:
    columns = usage_histograms_table.c
    names = {"day": "start", **_COLUMNS}
    grouped = [columns[names.get(name, name)] for name in question.group_by]
    starts = [
        and_(columns.scope == scope, columns.start.between(first, last))
        for scope, first, last in scopes(question)
    ]
    # As text: SQLAlchemy's own way to read JSON is slow.
    query = select(*grouped, cast(columns.counts, Text))
    query = query.where(or_(*starts), *_filters(columns, question))
    return query.limit(MOST_HISTOGRAMS + 1)


def _filters(columns: Any, question: ActivityQuery) -> list[ColumnElement[bool]]:
    return [columns[name] == value for name, value in question.filters.items()]


def scopes(question: ActivityQuery) -> list[tuple[Scope, date, date]]:
    """Return the histograms that answer a question: of which scope, from and to which start.

    They are the fewest that have all that it groups and filters by.
    """
    since, until, filters = question.since, question.until, question.filters
    if (
        not {"key", "label", "app"} & {*question.group_by}
        and not {"key_hash", "app"} & filters.keys()
    ):
        return [("endpoint", since, until)]
    first, end = _whole_months(since, until)
    if "day" in question.group_by or first >= end:
        return [("day", since, until)]
    day = timedelta(days=1)
    return [("day", since, first - day), ("month", first, end - day), ("day", end, until)]


def _whole_months(since: date, until: date) -> tuple[date, date]:
    """Return the first day of the first whole month, and the day after the last of the last one."""
    after = until + timedelta(days=1)
    first = since if since.day == 1 else (since.replace(day=1) + timedelta(days=31)).replace(day=1)
    return first, after.replace(day=1)


def _activity_row(
    group: Group, sums: Sequence[int], speeds: Mapping[Group | None, Speeds]
) -> ActivityRow:
    requests, failures, samples, tokens, nanodollars = sums
    found = speeds.get(group, UNKNOWN_SPEEDS)
    return ActivityRow(group, requests, failures, samples, tokens, nanodollars, *found)


def _added(
    rows: Iterable[Sequence[Any]], length: int, groups: Callable[[Group], list[Group]]
) -> dict[Group | None, list[int]]:
    """Add up the sums of rows, which follow `length` columns, by group; of all as the group None.

    PostgreSQL's are decimal.
    """
    added: dict[Group | None, list[int]] = defaultdict(lambda: [0] * len(_SUMS))
    added[None] = [0] * len(_SUMS)
    for row in rows:
        values = list(map(int, row[length:]))
        for group in (None, *groups(tuple(row[:length]))):
            added[group] = [a + b for a, b in zip(added[group], values, strict=True)]
    return added
