"""Sums and percentiles by any grouping are those of the generations that were recorded."""

from __future__ import annotations

import asyncio
import calendar
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

import voxgate.ledger.lifecycle
from voxgate.errors import UsageError
from voxgate.histograms import ERROR
from voxgate.ledger import activity
from voxgate.ledger.activity import ActivityRow, scopes
from voxgate.ledger.activity_query import ActivityQuery, Grouping
from voxgate.ledger.budget import Amount
from voxgate.ledger.generation import AnsweredBy, Generation, Outcome
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.usage import MOST_APPS, OTHER_APPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from voxgate.ledger.address import Address

LEAP_NOON = datetime(2028, 2, 29, 12, tzinfo=UTC)
GROUPINGS: tuple[Grouping, ...] = ("day", "model", "key", "app", "provider")
EVER = date(2000, 1, 1), date(2100, 1, 1)


@dataclass
class Reads:
    """How many statements ran, how many run now, and how many ran at once."""

    count: int = 0
    running: int = 0
    most: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Recorded:
    """A generation that ended at a time."""

    ended: datetime
    key: int | None  # the number of a key
    model: str
    provider: str | None
    app: str | None
    status: int
    samples: int | None
    latency_ms: int
    spent_ms: int | None
    nanodollars: int
    tokens: int | None


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
RECORDED = st.builds(
    Recorded,
    ended=st.one_of(
        st.datetimes(datetime(2028, 2, 27), datetime(2028, 3, 2), timezones=ZONES),  # noqa: DTZ001
        st.datetimes(datetime(2027, 12, 30), datetime(2028, 6, 2), timezones=ZONES),  # noqa: DTZ001
    ),
    key=st.sampled_from([None, 0, 1]),
    model=st.sampled_from(["a/one", "a/two"]),
    provider=st.sampled_from([None, "Local", "Remote"]),
    app=st.sampled_from([None, "Notes", "=1+1", "naïve"]),
    status=st.sampled_from([200, 200, 200, 400, 499, 503]),
    samples=st.one_of(st.none(), st.integers(0, 24 * 3600 * 16_000)),
    latency_ms=st.integers(0, 3_600_000),
    spent_ms=st.one_of(st.none(), st.integers(0, 3_600_000)),
    nanodollars=st.integers(0, 2**40),
    tokens=st.one_of(st.none(), st.integers(0, 100_000)),
)
DAYS = st.dates(date(2027, 12, 28), date(2028, 6, 4))


@contextmanager
def clock(moment: datetime) -> Iterator[None]:
    """Let the generations that end in this context end at `moment`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voxgate.ledger.lifecycle, "utc_now", lambda: moment)
        yield


async def record(ledger: Ledger, name: str, key_hash: str | None, one: Recorded) -> None:
    generation = Generation(name, key_hash, one.model, app_title=one.app, created_at=one.ended)
    with clock(one.ended):
        await ledger.generations.begin(generation)
        outcome = Outcome(
            status=one.status,
            latency_ms=one.latency_ms,
            generation_time_ms=one.spent_ms,
            audio_samples=one.samples,
            tokens=one.tokens,
            cost=Amount(one.nanodollars, one.samples or 0),
            answered_by=AnsweredBy(one.provider, one.model) if one.provider else None,
        )
        await ledger.generations.finish(name, outcome)


def expected(
    recorded: list[Recorded], keys: list[str], question: ActivityQuery
) -> dict[tuple[Any, ...], list[Recorded]]:
    """What a question is about, by its groups."""
    groups: dict[tuple[Any, ...], list[Recorded]] = defaultdict(list)
    for one in recorded:
        values: dict[str, Any] = {
            "day": one.ended.astimezone(UTC).date(),
            "model": one.model,
            "key": "" if one.key is None else keys[one.key],
            "app": one.app or "" if one.status < 400 or one.samples else "",
            "provider": one.provider or "",
        }
        wanted = {name.removesuffix("_hash"): value for name, value in question.filters.items()}
        if question.since <= values["day"] <= question.until and wanted.items() <= values.items():
            groups[tuple(values[name] for name in question.group_by)].append(one)
    return groups


def check(row: ActivityRow, those: list[Recorded]) -> None:
    """Check that a row is the sum of those generations."""
    done = [one for one in those if one.status < 400]
    assert row.requests == len(those)
    assert row.failures == len(those) - len(done)
    assert row.audio_samples == sum(one.samples or 0 for one in those)
    assert row.tokens == sum(one.tokens or 0 for one in those)
    assert row.nanodollars == sum(one.nanodollars for one in those)
    near(row.latency_ms, [max(1.0, one.latency_ms) for one in done])
    near(
        row.real_time_factor,
        [
            max(1e-6, one.spent_ms / 1e3 / (one.samples / 16_000))
            for one in done
            if one.spent_ms is not None and one.samples
        ],
    )


def near(found: Any, values: list[float]) -> None:
    assert (found is None) == (not values)
    for q in (50, 75, 90, 99) if values else ():
        exact = sorted(values)[ceil(len(values) * q / 100) - 1]
        assert abs(getattr(found, f"p{q}") - exact) <= exact * (ERROR + 1e-9)


@st.composite
def questions(draw: st.DrawFn) -> tuple[Any, ...]:
    """The days, groupings and filters of a question; a key is its number."""
    since, until = sorted((draw(DAYS), draw(DAYS)))
    return (
        since,
        until,
        tuple(draw(st.lists(st.sampled_from(GROUPINGS), unique=True))),
        draw(st.sampled_from([None, None, 0, 1])),
        {
            name: draw(st.sampled_from([None, None, None, *values]))
            for name, values in (
                ("model", ["a/one"]),
                ("provider", ["Local", ""]),
                ("app", ["=1+1", ""]),
            )
        },
    )


async def test_sums_are_those_of_what_was_recorded(ledger: Ledger) -> None:
    """Any generations, over leap days and in any time zones, and any questions about them."""
    keys = [(await ledger.keys.create(name))[0].hash for name in ("one", "two")]
    everything: list[Recorded] = []
    loop = asyncio.get_running_loop()

    async def ask(question: ActivityQuery) -> None:
        groups = expected(everything, keys, question)
        found, total = await ledger.activity.find_with_total(question)
        assert [row.group for row in found] == sorted(groups)
        for row in found:
            check(row, groups[row.group])
        check(total, [one for group in groups.values() for one in group])

    async def add(recorded: list[Recorded], asked: list[tuple[Any, ...]]) -> None:
        for one in recorded:
            key_hash = None if one.key is None else keys[one.key]
            await record(ledger, f"gen-{len(everything)}", key_hash, one)
            everything.append(one)
        for since, until, group_by, key, filters in asked:
            await ask(
                ActivityQuery(since, until, group_by, None if key is None else keys[key], **filters)
            )

    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # an example adds to those before: a smaller one is another
    )
    @given(
        st.lists(RECORDED, min_size=12, max_size=25),
        st.lists(questions(), min_size=12, max_size=12),
    )
    def examples(recorded: list[Recorded], asked: list[tuple[Any, ...]]) -> None:
        asyncio.run_coroutine_threadsafe(add(recorded, asked), loop).result()

    await asyncio.to_thread(examples)
    assert len(everything) > 100
    for name in GROUPINGS:
        await ask(ActivityQuery(*EVER, group_by=(name,)))


async def test_of_nothing_there_is_no_row(ledger: Ledger) -> None:
    assert await ledger.activity.find(ActivityQuery(*EVER)) == []
    assert await ledger.activity.find(ActivityQuery(*EVER, group_by=("day",))) == []


async def test_a_leap_day_is_a_day_of_its_own(ledger: Ledger) -> None:
    evening = timezone(timedelta(hours=-5))
    for number, moment in enumerate(
        (
            datetime(2028, 2, 28, 23, 59, 59, tzinfo=UTC),
            datetime(2028, 2, 28, 22, tzinfo=evening),  # 03:00 UTC of the 29th
            datetime(2028, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2028, 3, 1, tzinfo=UTC),
        )
    ):
        one = Recorded(moment, None, "a/one", "Local", None, 200, 16_000, 100, 50, 5, 1)
        await record(ledger, f"gen-{number}", None, one)
    found = await ledger.activity.find(ActivityQuery(*EVER, group_by=("day",)))
    assert [(row.group[0], row.requests) for row in found] == [
        (date(2028, 2, 28), 1),
        (date(2028, 2, 29), 2),
        (date(2028, 3, 1), 1),
    ]


async def by_app(ledger: Ledger, **filters: Any) -> dict[str, int]:
    found = await ledger.activity.find(ActivityQuery(*EVER, group_by=("app",), **filters))
    return {str(row.group[0]): row.requests for row in found}


async def count_apps(
    ledger: Ledger, first: int, names: Sequence[str], key_hash: str | None = None, **fields: Any
) -> int:
    """Record a generation for each name of an app. Return the number of the next one."""
    usual = Recorded(LEAP_NOON, None, "a/one", "Local", None, 200, 16_000, 1, 1, 1, 1)
    for number, app in enumerate(names, first):
        await record(ledger, f"gen-{number}", key_hash, replace(usual, app=app, **fields))
    return first + len(names)


async def test_a_key_and_day_has_so_many_apps(ledger: Ledger, address: Address) -> None:
    """Callers choose the names, and their rows stay for ever."""
    apps = [f"app {number:03}" for number in range(MOST_APPS + 5)]
    following = await count_apps(ledger, 0, [*apps, apps[0], apps[-1], OTHER_APPS])
    counted = dict.fromkeys(apps[:MOST_APPS], 1) | {apps[0]: 2, OTHER_APPS: 7}
    assert await by_app(ledger) == counted

    key = (await ledger.keys.create("another"))[0].hash
    following = await count_apps(ledger, following, apps[-2:], key_hash=key)
    assert await by_app(ledger, key_hash=key) == dict.fromkeys(apps[-2:], 1)

    tomorrow = LEAP_NOON + timedelta(days=1)
    following = await count_apps(ledger, following, apps[-1:], ended=tomorrow)
    found = await ledger.activity.find(ActivityQuery(tomorrow.date(), EVER[1], group_by=("app",)))
    assert [row.group for row in found] == [(apps[-1],)]

    async with await Ledger.open(address) as restarted:
        await count_apps(restarted, following, [apps[1], "of another process"])
    assert await by_app(ledger, key_hash="") == counted | {apps[-1]: 1, apps[1]: 2, OTHER_APPS: 8}


async def test_an_app_that_is_known_is_not_asked_for_again(
    sqlite_ledger: Ledger, reads: Reads
) -> None:
    """One connection writes to SQLite, so it is asked once for each app, until there are enough."""
    await count_apps(sqlite_ledger, 0, ["Notes"] * 5)
    assert reads.count == 1
    apps = [f"app {number}" for number in range(MOST_APPS + 5)]
    await count_apps(sqlite_ledger, 5, apps)
    assert reads.count == MOST_APPS


async def test_a_failure_without_sound_has_no_app(ledger: Ledger) -> None:
    apps = [f"app {number}" for number in range(MOST_APPS + 5)]
    following = await count_apps(ledger, 0, apps, status=400, samples=None)
    following = await count_apps(ledger, following, ["Notes"], status=503)
    await count_apps(ledger, following, ["Silence"], samples=0)
    assert await by_app(ledger) == {"": len(apps), "Notes": 1, "Silence": 1}


@pytest.mark.parametrize("app", ["x" * 300, "nul\0", "\ud800"])
async def test_an_app_is_remembered_as_it_is_stored(
    sqlite_ledger: Ledger, reads: Reads, app: str
) -> None:
    await count_apps(sqlite_ledger, 0, [app, app + " " if len(app) > 256 else app])
    assert len(await by_app(sqlite_ledger)) == 1
    assert reads.count == 1 + 2  # of the question


async def test_more_rows_than_anybody_reads_are_refused(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "MOST_ROWS", 2)
    ended = datetime(2028, 2, 29, tzinfo=UTC)
    for number in range(3):
        one = Recorded(ended, None, f"a/{number}", None, None, 200, None, 1, None, 0, None)
        await record(ledger, f"gen-{number}", None, one)
        if number == 1:
            assert len(await ledger.activity.find(ActivityQuery(*EVER, group_by=("model",)))) == 2
    with pytest.raises(UsageError, match="more than 2 rows"):
        await ledger.activity.find(ActivityQuery(*EVER, group_by=("model",)))
    assert len(await ledger.activity.find(ActivityQuery(*EVER))) == 1


async def test_more_histograms_than_fit_into_memory_are_refused(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "MOST_HISTOGRAMS", 2)
    for number in range(3):
        ended = datetime(2028, 2, 27 + number, tzinfo=UTC)
        one = Recorded(ended, None, "a/one", None, None, 200, None, 1, None, 0, None)
        await record(ledger, f"gen-{number}", None, one)
    with pytest.raises(UsageError, match=r"more than 2 histograms.*fewer days"):
        await ledger.activity.find(ActivityQuery(*EVER))
    since, until = date(2028, 2, 28), date(2028, 2, 29)
    assert (await ledger.activity.find(ActivityQuery(since, until)))[0].requests == 2


@pytest.fixture
def reads() -> Iterator[Reads]:
    """The statements about usage that run."""
    reads = Reads()

    def begins(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM usage_" in statement:
            reads.count += 1
            reads.running += 1
            reads.most = max(reads.most, reads.running)
            reads.begun.set()

    def ends(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM usage_" in statement:
            reads.running -= 1

    listeners = {"before_cursor_execute": begins, "after_cursor_execute": ends}
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    yield reads
    for name, listener in listeners.items():
        event.remove(Engine, name, listener)


async def test_one_question_at_a_time_is_answered(ledger: Ledger, reads: Reads) -> None:
    """Others need the connections: a read goes on when its caller is gone."""
    question = ActivityQuery(*EVER, group_by=("app",))
    for _ in range(3):
        caller = asyncio.create_task(ledger.activity.find(question))
        await reads.begun.wait()
        reads.begun.clear()
        caller.cancel()
    assert await asyncio.gather(*[ledger.activity.find(question) for _ in range(8)]) == [[]] * 8
    assert (reads.running, reads.most) == (0, 1)


@given(DAYS, DAYS, st.sampled_from([(), ("key",), ("day",), ("model", "app")]))
def test_scopes_cover_each_day_once(one: date, other: date, group_by: tuple[Grouping, ...]) -> None:
    since, until = sorted((one, other))
    covered: list[date] = []
    for scope, first, last in scopes(ActivityQuery(since, until, group_by)):
        day = first
        while day <= last:
            length = calendar.monthrange(day.year, day.month)[1] if scope == "month" else 1
            covered += [day + timedelta(days=number) for number in range(length)]
            day += timedelta(days=length)
    assert covered == [since + timedelta(days=n) for n in range((until - since).days + 1)]


def test_a_year_by_key_is_read_by_the_month() -> None:
    question = ActivityQuery(date(2027, 12, 30), date(2028, 12, 31), ("key",))
    assert scopes(question) == [
        ("day", date(2027, 12, 30), date(2027, 12, 31)),
        ("month", date(2028, 1, 1), date(2028, 12, 31)),
        ("day", date(2029, 1, 1), date(2028, 12, 31)),  # none
    ]


async def test_a_key_counts_under_each_of_its_labels_and_once_in_all(ledger: Ledger) -> None:
    day = datetime(2028, 2, 29, 12, tzinfo=UTC)
    one = Recorded(day, 0, "a/one", "Local", None, 200, 16_000, 100, 50, 7, 3)
    wanted = {"first": ("news", "night"), "second": ("news",), "plain": ()}
    for name, labels in wanted.items():
        key, _ = await ledger.keys.create(name, labels=labels)
        await record(ledger, f"gen-{name}", key.hash, one)
    await record(ledger, "gen-keyless", None, one)
    await ledger.keys.revoke("second")
    for first in (date(2028, 2, 29), date(2028, 2, 1)):  # of days, and of a month
        question = ActivityQuery(first, date(2028, 2, 29), ("label",))
        rows, total = await ledger.activity.find_with_total(question)
        assert [row.group for row in rows] == [("",), ("news",), ("night",)]
        for row, count in zip(rows, (2, 2, 1), strict=True):
            check(row, [one] * count)
        check(total, [one] * 4)
    both = await ledger.activity.find(
        ActivityQuery(date(2028, 2, 29), date(2028, 2, 29), ("day", "label", "key"))
    )
    assert [row.group[1] for row in both] == ["", "", "news", "news", "night"]
