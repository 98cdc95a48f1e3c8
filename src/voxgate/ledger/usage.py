"""What is summed of finished generations: by day, and histograms of their speed.

It is written in the transaction that ends a generation, so that it is exact, and stays when old
generations are deleted. Two statements do so, always in this order: no deadlock is possible.

A histogram is kept in three scopes, so that a question about a year adds up some thousands of them
at most: a `month` and a `day` of one key, model, provider and app, and a day of an `endpoint`,
which is a model and a provider, whoever asked.

These rows are never deleted, and callers choose the names of their apps: of a key and day, about
`MOST_APPS` are counted each by itself, the others together. A failure without any sound
counts under no app: it costs its caller nothing.
"""

from __future__ import annotations

from datetime import UTC
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from sqlalchemy import BigInteger, String, bindparam, cast, func, literal, select

from voxgate.ledger.columns import storable_text, utc_now
from voxgate.ledger.histograms import bucket
from voxgate.ledger.schema import NAME_LENGTH, usage_days_table, usage_histograms_table
from voxgate.ledger.upsert import upsert_statement

if TYPE_CHECKING:
    from datetime import date
    from typing import Any

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

LATENCY, REAL_TIME_FACTOR = "l", "r"
"""The letter before the number of a bucket, in the column `counts`."""


def add_usage(connection: Connection, generation: Generation) -> None:
    """Add a finished generation to the sums and histograms, in the caller's transaction."""
    day = (generation.finished_at or utc_now()).astimezone(UTC).date()
    failed = (generation.status or 0) >= FIRST_FAILURE
    soundless = failed and not generation.audio_samples
    group = {
        "key_hash": generation.key_hash or "",
        "model": generation.model,
        "provider": generation.provider or "",
        "app": "" if soundless else _app(connection, generation, day),
    }
    sums = {
        "requests": 1,
        "failures": int(failed),
        "audio_samples": generation.audio_samples or 0,
        "tokens": generation.tokens or 0,
        "nanodollars": generation.cost_nanodollars,
        "latency_ms": generation.latency_ms or 0,
        "generation_time_ms": generation.generation_time_ms or 0,
    }
    dialect = connection.dialect.name
    connection.execute(_add_sums(dialect), {"day": day, **group, **sums})
    counted = [] if failed else _counted(generation)
    if counted:
        starts = {"month": day.replace(day=1), "day": day, "endpoint": day}
        shared = {
            "counts": dict.fromkeys(counted, 1),
            **{f"counted_{at}": name for at, name in enumerate(counted)},
        }
        rows = [
            {"scope": scope, "start": starts[scope], **_narrowed(scope, group), **shared}
            for scope in get_args(Scope)  # the one that most servers write last: it is locked least
        ]
        connection.execute(_add_counts(dialect, len(counted)), rows)


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
        known = set(connection.scalars(_SELECT_APPS, {"key_hash": whose[0], "day": day}))
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


def _counted(generation: Generation) -> list[str]:
    """Return the names of the buckets that a generation counts in."""
    latency_ms, spent_ms = generation.latency_ms, generation.generation_time_ms
    names = [] if latency_ms is None else [f"{LATENCY}{bucket(max(1, latency_ms))}"]
    if spent_ms is not None and generation.audio_seconds:
        factor = spent_ms / 1e3 / generation.audio_seconds
        names.append(f"{REAL_TIME_FACTOR}{bucket(factor)}")
    return names


def _narrowed(scope: Scope, group: dict[str, str]) -> dict[str, str]:
    return group | {"key_hash": "", "app": ""} if scope == "endpoint" else group


@cache
def _add_sums(dialect: str) -> Insert:
    columns = usage_days_table.c
    return upsert_statement(
        dialect, usage_days_table, lambda new: {name: columns[name] + new[name] for name in SUMS}
    )


@cache
def _add_counts(dialect: str, length: int) -> Insert:
    """Return the statement that counts once in each of so many buckets."""
    names = [bindparam(f"counted_{at}", type_=String) for at in range(length)]
    counts = usage_histograms_table.c.counts
    changed = _more_by_jsonb if dialect == "postgresql" else _more_by_json_set
    return upsert_statement(
        dialect, usage_histograms_table, lambda _: {"counts": changed(counts, names)}
    )


def _more_by_json_set(counts: Any, names: list[Any]) -> Any:
    """Return the counts with one more of each name, in SQLite."""
    paths = [literal("$.").concat(name) for name in names]
    pairs = [(path, func.coalesce(func.json_extract(counts, path), 0) + 1) for path in paths]
    return func.json_set(counts, *(part for pair in pairs for part in pair))


def _more_by_jsonb(counts: Any, names: list[Any]) -> Any:
    """Return the counts with one more of each name, in PostgreSQL."""
    pairs = [
        (name, func.coalesce(cast(counts.op("->>")(name), BigInteger), 0) + 1) for name in names
    ]
    return counts.op("||")(func.jsonb_build_object(*(part for pair in pairs for part in pair)))
