"""What is summed of finished generations: by day, and histograms of their speed.

It is written in the transaction that ends a generation, so that it is exact, and stays when old
generations are deleted. Two statements do so, always in this order and with their rows in order: no
deadlock is possible.

A histogram is kept in three scopes, so that a question about a year adds up some thousands of them
at most: a `month` and a `day` of one key, model, provider and app, and a day of an `endpoint`,
which is a model and a provider, whoever asked.

These rows are never deleted, and callers choose the names of their apps: of a key and day, about
`MOST_APPS` are counted each by itself, the others together. A failure without any sound
counts under no app: it costs its caller nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date
from functools import cache
from operator import add
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from sqlalchemy import bindparam, literal_column, select

from voxgate.histograms import bucket
from voxgate.ledger.columns import storable_text, utc_now
from voxgate.ledger.schema import NAME_LENGTH, usage_days_table, usage_histograms_table
from voxgate.ledger.upsert import upsert_statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Insert

    from voxgate.ledger.generation import Generation

FIRST_FAILURE = 400  # the lowest status of HTTP that is a failure

SUMS = (
    *("requests", "failures", "audio_samples", "tokens", "nanodollars", "latency_ms"),
    "generation_time_ms",
)

MOST_APPS = 100
"""The most apps of a key and day that count each by itself.

Two transactions at once may each add the last one: PostgreSQL has a few more then.
"""

OTHER_APPS = "other apps"
"""What all further apps count as."""

_REMEMBERED = 100
"""Of how many keys and days a connection remembers the apps: 3 MB at most."""

_APPS_OF = "voxgate apps"
"""The name of that memory in `Connection.info`, which lives as long as the connection."""

Scope: TypeAlias = Literal["month", "day", "endpoint"]

_SCOPES: tuple[Scope, ...] = get_args(Scope)
"""In the order in which they are written. What most servers write is last: it is locked least."""

_Day: TypeAlias = tuple[date, str, str, str, str]
_Histogram: TypeAlias = tuple[int, date, str, str, str, str]
"""The primary keys of the sums and of the histograms, with the number of a scope in its place."""

_DAY_KEY = [column.name for column in usage_days_table.primary_key]
_HISTOGRAM_KEY = [column.name for column in usage_histograms_table.primary_key]

LATENCY, REAL_TIME_FACTOR, FIRST_TEXT = "l", "r", "f"
"""The letter before the number of a bucket, in the column `counts`."""


def add_usage(connection: Connection, generations: Sequence[Generation]) -> list[str]:
    """Add finished generations to the sums and histograms, in the caller's transaction.

    Of many, each row is written once, and in the order of the primary keys. Return the app that
    each counts under.
    """
    apps = list[str]()
    sums = defaultdict[_Day, list[int]](lambda: [0] * len(SUMS))
    counts = defaultdict[_Histogram, Counter[str]](Counter)
    for generation in generations:
        day = (generation.finished_at or utc_now()).astimezone(UTC).date()
        failed = (generation.status or 0) >= FIRST_FAILURE
        soundless = failed and not generation.audio_samples
        app = "" if soundless else _app(connection, generation, day)
        apps.append(app)
        endpoint = generation.model, generation.provider or ""
        group = generation.key_hash or "", *endpoint, app
        added = _added(generation, failed=failed)
        sums[day, *group] = list(map(add, sums[day, *group], added))
        if not failed:
            buckets = _buckets(generation)
            counts[0, day.replace(day=1), *group].update(buckets)
            counts[1, day, *group].update(buckets)
            counts[2, day, "", *endpoint, ""].update(buckets)
    dialect = connection.dialect.name
    if sums:
        rows = [
            dict(zip((*_DAY_KEY, *SUMS), (*key, *values), strict=True))
            for key, values in sorted(sums.items())
        ]
        connection.execute(_add_sums(dialect), rows)
    counted = [
        dict(zip(_HISTOGRAM_KEY, (_SCOPES[scope], *key), strict=True)) | {"counts": dict(buckets)}
        for (scope, *key), buckets in sorted(counts.items())
        if buckets
    ]
    if counted:
        connection.execute(_add_counts(dialect), counted)
    return apps


def _added(generation: Generation, *, failed: bool) -> tuple[int, ...]:
    """Return what is added to each of `SUMS`."""
    return (
        1,
        int(failed),
        generation.audio_samples or 0,
        generation.tokens or 0,
        generation.cost_nanodollars,
        generation.latency_ms or 0,
        generation.generation_time_ms or 0,
    )


def _app(connection: Connection, generation: Generation, day: date) -> str:
    """Return the name of the app that a generation counts under.

    The database is asked for the apps of the key and day only where one seems new, and not once
    there are as many as may be.
    """
    text = generation.app_title or generation.http_referer or ""
    name = storable_text(text, NAME_LENGTH)  # as the column has it: two may be one there
    if name in {"", OTHER_APPS}:
        return name
    memory: dict[tuple[str, date], set[str]] = connection.info.setdefault(_APPS_OF, {})
    whose = (generation.key_hash or "", day)
    known = memory.get(whose, set())
    if name not in known and len(known) < MOST_APPS:
        found = connection.scalars(_SELECT_APPS, {"key_hash": whose[0], "day": day})
        known = known.union(found)  # others of the same transaction are not written yet
        if len(known) < MOST_APPS:
            known.add(name)  # also where this transaction is undone: it has its place all the same
        if len(memory) >= _REMEMBERED:
            memory.pop(next(iter(memory)), None)  # the oldest
        memory[whose] = known
    return name if name in known else OTHER_APPS


_SELECT_APPS = (
    select(usage_days_table.c.app)
    .distinct()
    .where(
        usage_days_table.c.key_hash == bindparam("key_hash"),
        usage_days_table.c.day == bindparam("day"),
        usage_days_table.c.app.not_in(["", OTHER_APPS]),
    )
    .limit(MOST_APPS)
)


def _buckets(generation: Generation) -> list[str]:
    """Return the names of the buckets that a generation counts in."""
    latency_ms, spent_ms = generation.latency_ms, generation.generation_time_ms
    names = [] if latency_ms is None else [f"{LATENCY}{bucket(max(1, latency_ms))}"]
    if spent_ms is not None and generation.audio_seconds:
        factor = spent_ms / 1e3 / generation.audio_seconds
        names.append(f"{REAL_TIME_FACTOR}{bucket(factor)}")
    if generation.first_text_ms is not None:
        names.append(f"{FIRST_TEXT}{bucket(max(1, generation.first_text_ms))}")
    return names


@cache
def _add_sums(dialect: str) -> Insert:
    columns = usage_days_table.c
    return upsert_statement(
        dialect, usage_days_table, lambda new: {name: columns[name] + new[name] for name in SUMS}
    )


@cache
def _add_counts(dialect: str) -> Insert:
    more = _MORE_BY_JSONB if dialect == "postgresql" else _MORE_BY_JSON
    return upsert_statement(
        dialect, usage_histograms_table, lambda _: {"counts": literal_column(more)}
    )


_MORE_BY_JSON = """json_patch(usage_histograms.counts, (
    SELECT json_group_object(key, value
        + coalesce(json_extract(usage_histograms.counts, '$.' || key), 0))
    FROM json_each(excluded.counts)))"""
"""The counts of a row and those of the row that was to be inserted, in SQLite."""

_MORE_BY_JSONB = """usage_histograms.counts || (
    SELECT jsonb_object_agg(key, CAST(value AS bigint)
        + coalesce(CAST(usage_histograms.counts ->> key AS bigint), 0))
    FROM jsonb_each_text(excluded.counts))"""
"""The same in PostgreSQL."""
