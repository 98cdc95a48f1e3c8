"""What the ledger costs: questions about a year of generations, and recording one more.

    python -m benchmarks.ledger [GENERATIONS] [--postgresql]

Makes so many generations (by default 100 000) of a year: 40 keys, 3 models at 2 providers, where
each key has 2 models and 2 apps, so that there are 160 groups. The sums and histograms are those
that the server would have written. Ten million are 4 GB in a SQLite file, in the temporary folder;
with --postgresql they are in a server that this starts and ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import numpy as np
from tests.ledger import postgres

from benchmarks.table import Row, show
from voxgate.histograms import bucket
from voxgate.ledger.activity_query import ActivityQuery
from voxgate.ledger.address import LEDGER_FILE, Address
from voxgate.ledger.budget import Amount
from voxgate.ledger.generation import AnsweredBy, Generation, Outcome
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.usage_hours import HOURS_KEPT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

YEAR = [date(2025, 12, 1) + timedelta(days=number) for number in range(365)]
KEYS = [sha256(str(number).encode()).hexdigest() for number in range(40)]
MODELS = (
    "openai/whisper-base",
    "mistralai/Voxtral-Mini-3B-2507",
    "mistralai/Voxtral-Small-24B-2507",
)
PROVIDERS = ("Local", "Remote")
GOAL_MS = 200  # of a question about a year of ten million
TASKS = 64  # that record generations at once
RECORDING_S = 5.0

QUESTIONS: tuple[tuple[str, ActivityQuery], ...] = (
    ("a year, one sum", ActivityQuery(YEAR[0], YEAR[-1])),
    ("a year by day", ActivityQuery(YEAR[0], YEAR[-1], ("day",))),
    ("a year by day and model", ActivityQuery(YEAR[0], YEAR[-1], ("day", "model"))),
    ("a year by key", ActivityQuery(YEAR[0], YEAR[-1], ("key",))),
    ("a year by app, from the 15th", ActivityQuery(YEAR[14], YEAR[-17], ("app",))),
    ("a year of one key by day", ActivityQuery(YEAR[0], YEAR[-1], ("day",), KEYS[7])),
    ("30 days by key and day", ActivityQuery(YEAR[-30], YEAR[-1], ("key", "day"))),
    (
        "30 days by model and provider",
        ActivityQuery(YEAR[-30], YEAR[-1], ("day", "model", "provider")),
    ),
    (
        "30 days of a model by provider",
        ActivityQuery(YEAR[-30], YEAR[-1], ("day", "provider"), model=MODELS[0]),
    ),
)

SUMS_ASKED: tuple[tuple[str, ActivityQuery], ...] = (
    ("a year of a model by day", ActivityQuery(YEAR[0], YEAR[-1], ("day",), model=MODELS[0])),
    ("30 days of a model by app", ActivityQuery(YEAR[-30], YEAR[-1], ("app",), model=MODELS[0])),
    ("14 days by hour", ActivityQuery(YEAR[-14], YEAR[-1], ("hour",))),
    ("3 days by hour, model and key", ActivityQuery(YEAR[-3], YEAR[-1], ("hour", "model", "key"))),
)

GENERATION_COLUMNS = (
    *("id", "key_hash", "model", "provider", "created_at", "finished_at", "status"),
    *("audio_seconds", "audio_samples", "cost_nanodollars", "latency_ms", "generation_time_ms"),
    *("cancelled", "attempts", "app_title", "tokens"),
)
HOUR_COLUMNS = (
    *("model", "hour", "key_hash", "requests", "failures", "audio_samples", "tokens"),
    *("nanodollars", "answered", "saved", "unavailable"),
)
GROUP_COLUMNS = ("key_hash", "model", "provider", "app")
SUM_COLUMNS = (
    *("requests", "failures", "audio_samples", "tokens", "nanodollars", "latency_ms"),
    "generation_time_ms",
)


@dataclass(frozen=True)
class Tables:
    """Rows of one day, by table."""

    generations: list[tuple[Any, ...]]
    sums: list[tuple[Any, ...]]
    hours: list[tuple[Any, ...]]


class Population:
    """A year of generations, with their sums and histograms."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._random = np.random.default_rng(20_261_130)
        self._groups = [
            (key, MODELS[(number + which) % 3], PROVIDERS[which], f"app {number % 5 + 5 * app}")
            for number, key in enumerate(KEYS)
            for which in (0, 1)
            for app in (0, 1)
        ]
        self._counts: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def days(self) -> Iterator[Tables]:
        """Make the days in order."""
        for number, day in enumerate(YEAR):
            ends = [round(self.count * part / len(YEAR)) for part in (number, number + 1)]
            yield self._day(day, ends[0], ends[1] - ends[0])

    def histograms(self) -> list[tuple[Any, ...]]:
        """Return the rows of histograms, of all days that were made."""
        return [(*group, json.dumps(counts)) for group, counts in self._counts.items()]

    def _day(self, day: date, first: int, count: int) -> Tables:
        which = self._random.integers(0, len(self._groups), count)
        seconds = self._random.lognormal(4, 1.2, count).clip(0.5, 20_000).round(2)
        spent_ms = (seconds * self._random.lognormal(-2.5, 0.5, count) * 1e3).clip(20).astype(int)
        latency_ms = spent_ms + self._random.lognormal(5, 0.8, count).astype(int)
        failed = self._random.random(count) < 0.02
        at = np.sort(self._random.integers(0, 86_399, count))
        sums: dict[int, list[int]] = defaultdict(lambda: [0] * len(SUM_COLUMNS))
        hours: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0] * 8)
        generations = []
        columns = (which, seconds, spent_ms, latency_ms, failed, at)
        for offset, (group, length, spent, latency, fails, second) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            key, model, provider, app = self._groups[group]
            samples, tokens, cost = round(length * 16_000), round(length * 3), round(length * 1e5)
            status = 503 if fails else 200
            clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000000"
            moment = f"{day} {clock}"
            generations.append(
                (
                    *(f"gen-stt-{first + offset:09}", key, model, provider, moment, moment, status),
                    *(length, samples, cost, latency, spent, False, "[]", app, tokens),
                )
            )
            added = (1, int(fails), samples, tokens, cost, latency, spent)
            sums[group] = [old + new for old, new in zip(sums[group], added, strict=True)]
            if day > YEAR[-1] - HOURS_KEPT:
                hour = hours[model, f"{day} {second // 3600:02}:00:00.000000", key]
                met = (int(not fails), 0, int(fails))
                hour[:] = [a + b for a, b in zip(hour, (*added[:5], *met), strict=True)]
            if not fails:
                self._count(day, group, f"l{bucket(latency)}", f"r{bucket(spent / 1e3 / length)}")
        rows = [(day.isoformat(), *self._groups[group], *each) for group, each in sums.items()]
        return Tables(generations, rows, [(*key, *each) for key, each in hours.items()])

    def _count(self, day: date, group: int, *names: str) -> None:
        key, model, provider, app = self._groups[group]
        for scope in (
            ("month", day.replace(day=1).isoformat(), key, model, provider, app),
            ("day", day.isoformat(), key, model, provider, app),
            ("endpoint", day.isoformat(), "", model, provider, ""),
        ):
            for name in names:
                self._counts[scope][name] += 1


def fill_file(path: Path, population: Population) -> None:
    """Write a population into the tables of a SQLite file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")  # a file that is lost is made anew
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        keys = [(key, key[:12], key[:12], "2025-12-01 00:00:00.000000") for key in KEYS]
        insert(connection, "keys", ("hash", "name", "label", "created_at"), keys)
        for tables in population.days():
            insert(connection, "generations", GENERATION_COLUMNS, tables.generations)
            insert(connection, "usage_days", ("day", *GROUP_COLUMNS, *SUM_COLUMNS), tables.sums)
            insert(connection, "usage_hours", HOUR_COLUMNS, tables.hours)
        histograms = ("scope", "start", *GROUP_COLUMNS, "counts")
        insert(connection, "usage_histograms", histograms, population.histograms())
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")


def insert(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]
) -> None:
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
    connection.executemany(statement, rows)


async def fill_server(address: Address, population: Population) -> None:
    """Write a population into the tables of a PostgreSQL server."""
    url = address.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)

    async def copy(table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        typed = list(zip(*rows, strict=True))
        for number, name in enumerate(columns):
            if name.endswith("_at") or name == "hour":
                typed[number] = tuple(
                    datetime.fromisoformat(f"{value}+00:00") for value in typed[number]
                )
            elif name in {"day", "start"}:
                typed[number] = tuple(map(date.fromisoformat, typed[number]))
        await connection.copy_records_to_table(
            table, columns=list(columns), records=zip(*typed, strict=True)
        )

    try:
        moment = "2025-12-01 00:00:00"
        keys = [(key, key[:12], key[:12], moment) for key in KEYS]
        await copy("keys", ("hash", "name", "label", "created_at"), keys)
        indexes = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes "
            "WHERE tablename = 'generations' AND indexname NOT LIKE '%pkey'"
        )
        for name, _ in indexes:
            await connection.execute(f"DROP INDEX {name}")
        for tables in population.days():
            await copy("generations", GENERATION_COLUMNS, tables.generations)
            await copy("usage_days", ("day", *GROUP_COLUMNS, *SUM_COLUMNS), tables.sums)
            if tables.hours:
                await copy("usage_hours", HOUR_COLUMNS, tables.hours)
        histograms = ("scope", "start", *GROUP_COLUMNS, "counts")
        await copy("usage_histograms", histograms, population.histograms())
        for _, definition in indexes:  # built at once, which is faster
            await connection.execute(definition)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def ask(ledger: Ledger) -> list[Row]:
    """Measure the questions: medians of five, after one that fills caches.

    The processor time is that of this process, without that of a PostgreSQL server.
    """
    asked: dict[str, Callable[[], Awaitable[Sequence[Any]]]] = {
        name: partial(ledger.activity.find, question) for name, question in QUESTIONS
    }
    asked |= {
        f"{name}, without percentiles": partial(ledger.activity.find_sums, question)
        for name, question in SUMS_ASKED
    }
    three_days = datetime(*YEAR[-3].timetuple()[:3], tzinfo=UTC)
    asked["72 hours of a model"] = partial(ledger.usage_hours.of_model, MODELS[0], three_days)
    rows = []
    for name, ask_once in asked.items():
        found = await ask_once()
        wall_ms, busy_ms = list[float](), list[float]()
        for _ in range(5):
            start_s, busy_s = time.perf_counter(), time.process_time()
            await ask_once()
            wall_ms.append((time.perf_counter() - start_s) * 1e3)
            busy_ms.append((time.process_time() - busy_s) * 1e3)
        wall, busy = statistics.median(wall_ms), statistics.median(busy_ms)
        figure = f"{wall:.0f} ms, {busy:.0f} of processor, {len(found)} rows"
        rows.append(Row(name, figure, goal=f"{GOAL_MS} ms"))
    return rows


async def record(ledger: Ledger) -> list[Row]:
    """Measure begin and finish, and checks of a key, by one task and by many at once."""
    key, secret = await ledger.keys.create(
        "with a budget", limit_nanodollars=10**15, reset="monthly"
    )
    cost = Amount(1000, 480_000)

    async def check(_number: int) -> None:
        assert await ledger.keys.authenticate(secret)

    async def work(number: int, owner: str, wanted: Amount) -> None:
        name = f"gen-new-{uuid4()}"
        model = MODELS[number % len(MODELS)]
        await ledger.generations.begin(Generation(name, owner, model, app_title="app 1"), wanted)
        outcome = Outcome(
            200,
            900 + number % 700,
            generation_time_ms=800 + number % 600,
            audio_samples=480_000,
            cost=cost,
            answered_by=AnsweredBy("Local", model),
        )
        await ledger.generations.finish(name, outcome)

    async def unlimited(number: int) -> None:
        await work(number, KEYS[number % len(KEYS)], Amount())

    async def limited(number: int) -> None:
        await work(number, key.hash, cost)

    kinds = {
        "check of a key": check,
        "begin and finish": unlimited,
        "begin and finish with a budget": limited,
    }
    return [
        await _repeated(f"{name}, {tasks} at once", function, tasks)
        for name, function in kinds.items()
        for tasks in (1, TASKS)
    ]


async def _repeated(name: str, function: Callable[[int], Awaitable[None]], tasks: int) -> Row:
    """Measure a function that so many tasks call, and what it takes of the processor."""
    done, end_s = 0, time.perf_counter() + RECORDING_S

    async def repeat() -> None:
        nonlocal done
        while time.perf_counter() < end_s:
            done += 1
            await function(done)

    before = (time.perf_counter(), time.thread_time(), time.process_time())
    await asyncio.gather(*(repeat() for _ in range(tasks)))
    after = (time.perf_counter(), time.thread_time(), time.process_time())
    wall_s, loop_s, process_s = (end - start for start, end in zip(before, after, strict=True))
    return Row(
        name,
        f"{done / wall_s:.0f} a second; processor {loop_s / done * 1e3:.2f} ms of the event loop, "
        f"{process_s / done * 1e3:.2f} of the process",
    )


@asynccontextmanager
async def filled(count: int, *, server: bool) -> AsyncIterator[tuple[Address, int]]:
    """Yield the address of a ledger with a population, and its bytes."""
    population = Population(count)
    if server:
        folder = postgres.binaries()
        assert folder, "no PostgreSQL server is installed here"
        with postgres.running(folder) as running:
            address = running.create()
            await (await Ledger.open(address)).aclose()
            await fill_server(address, population)
            yield address, sum(file.stat().st_size for file in running.folder.rglob("*"))
        return
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, LEDGER_FILE)
        await (await Ledger.open(path)).aclose()
        fill_file(path, population)
        yield Address.of_file(path), path.stat().st_size  # noqa: ASYNC240 (nothing else runs)


async def main() -> None:
    """Fill a ledger, and print the figures."""
    numbers = [argument for argument in sys.argv[1:] if argument.isdigit()]
    count = int(numbers[0]) if numbers else 100_000
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    start_s = time.perf_counter()
    async with filled(count, server="--postgresql" in sys.argv) as (address, size):
        print(f"{count} generations, {size / 1e9:.2f} GB, in {time.perf_counter() - start_s:.0f} s")
        async with await Ledger.open(address) as ledger:
            show([*await ask(ledger), *await record(ledger)])


if __name__ == "__main__":
    asyncio.run(main())
