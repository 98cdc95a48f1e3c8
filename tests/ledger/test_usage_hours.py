"""What was asked of a model by the hour, and how callers met it, in both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import voxgate.ledger.lifecycle
from voxgate.errors import UsageError
from voxgate.ledger import usage_hours
from voxgate.ledger.activity_query import ActivityQuery
from voxgate.ledger.activity_record import activity_record
from voxgate.ledger.budget import Amount
from voxgate.ledger.endpoint_hours import HourOfEndpoint
from voxgate.ledger.generation import Generation, Met, Outcome
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.retention import Retention
from voxgate.ledger.usage_hours import HOURS_KEPT, UsageHour

if TYPE_CHECKING:
    from voxgate.ledger.activity_query import Grouping
    from voxgate.ledger.address import Address

TWO = datetime(2026, 11, 28, 14, tzinfo=UTC)
SERVED = Outcome(
    200, 5, audio_samples=16_000, tokens=3, cost=Amount(7), met=Met("a/one", "answered")
)
FAILED = Outcome(503, 5, met=Met("a/one", "unavailable"))


async def end(ledger: Ledger, name: str, outcome: Outcome, key: str | None = None) -> None:
    await ledger.generations.begin(Generation(name, key, "a/one"))
    await ledger.generations.finish(name, outcome)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The moment at which generations end."""
    now = [TWO + timedelta(minutes=59)]
    monkeypatch.setattr(voxgate.ledger.lifecycle, "utc_now", lambda: now[0])
    return now


async def test_an_hour_has_what_ended_in_it(ledger: Ledger, clock: list[datetime]) -> None:
    await end(ledger, "gen-1", SERVED)
    await end(ledger, "gen-2", replace(SERVED, met=Met("a/one", "saved")))
    await end(ledger, "gen-3", FAILED)
    await end(ledger, "gen-4", Outcome(400, 5))  # the caller's fault: nothing is said of the model
    clock[0] += timedelta(minutes=1)
    await end(ledger, "gen-5", replace(SERVED, met=Met("b/first", "saved")))
    assert await ledger.usage_hours.of_model("a/one", TWO) == [
        UsageHour(TWO, 4, 2, 32_000, 6, 14, answered=2, saved=1, unavailable=1),
        UsageHour(TWO + timedelta(hours=1), 1, 0, 16_000, 3, 7, 0, 0, 0),
    ]
    # Who was asked first was another model, which did not answer.
    assert await ledger.usage_hours.of_model("b/first", TWO) == [
        UsageHour(TWO + timedelta(hours=1), 0, 0, 0, 0, 0, answered=1, saved=1, unavailable=0)
    ]


async def test_each_key_has_its_own_hours(ledger: Ledger, clock: list[datetime]) -> None:
    key, _ = await ledger.keys.create("laptop")
    await end(ledger, "gen-1", SERVED, key.hash)
    await end(ledger, "gen-2", SERVED)
    (own,) = await ledger.usage_hours.of_model("a/one", TWO, key.hash)
    (everybody,) = await ledger.usage_hours.of_model("a/one", TWO)
    assert (own.requests, everybody.requests) == (1, 2)
    grouped = ActivityQuery(clock[0].date(), clock[0].date(), ("hour", "key"), model="a/one")
    rows = await ledger.activity.find(grouped)
    assert [(row.group, row.requests, row.nanodollars) for row in rows] == [
        ((TWO, ""), 1, 7),
        ((TWO, key.hash), 1, 7),
    ]
    record = activity_record(rows[1], grouped.group_by, {key.hash: "laptop"})
    assert (record["hour"], record["key"]) == ("2026-11-28T14:00:00+00:00", "laptop")


async def test_servers_add_up(address: Address, clock: list[datetime]) -> None:
    assert clock
    async with await Ledger.open(address) as ledger, await Ledger.open(address) as other:
        await asyncio.gather(
            *(end(ledger, f"gen-one-{number}", SERVED) for number in range(20)),
            *(end(other, f"gen-two-{number}", FAILED) for number in range(20)),
        )
        (hour,) = await ledger.usage_hours.of_model("a/one", TWO)
        assert (hour.requests, hour.answered, hour.unavailable) == (40, 20, 20)


async def test_a_killed_server_was_unavailable(
    ledger: Ledger, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.generations.begin(Generation("gen-1", None, "a/one"))
    clock[0] += timedelta(hours=1)
    monkeypatch.setattr("voxgate.ledger.generations.utc_now", lambda: clock[0])
    assert await ledger.generations.close_expired() == ["gen-1"]
    (hour,) = await ledger.usage_hours.of_model("a/one", TWO)
    assert (hour.answered, hour.unavailable) == (0, 1)


@pytest.mark.parametrize(
    ("days", "group_by", "said"),
    [
        (14, ("hour",), "more than 14 days"),
        (0, ("hour", "app"), "by model and key alone"),
        (0, ("day", "hour"), "by model and key alone"),
    ],
)
async def test_what_is_not_kept_by_the_hour_is_refused(
    sqlite_ledger: Ledger, days: int, group_by: tuple[Grouping, ...], said: str
) -> None:
    last = date(2026, 11, 28)
    with pytest.raises(UsageError, match=said):
        await sqlite_ledger.activity.find(ActivityQuery(last - timedelta(days), last, group_by))


async def test_old_hours_are_deleted(
    ledger: Ledger, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await end(ledger, f"gen-{number}", SERVED)
        await ledger.endpoint_hours.add({HourOfEndpoint("local/a/one", clock[0]): (1, 0)})
        clock[0] += timedelta(hours=1)
    after = TWO + timedelta(hours=1, minutes=59) + HOURS_KEPT
    monkeypatch.setattr(usage_hours, "utc_now", lambda: after)
    monkeypatch.setattr("voxgate.ledger.endpoint_hours.utc_now", lambda: after)
    monkeypatch.setattr("voxgate.ledger.retention.BATCH", 1)
    await Retention(ledger, 10_000).sweep()
    left = await ledger.usage_hours.of_model("a/one", TWO)
    assert [hour.hour.hour for hour in left] == [16]
    found = await ledger.endpoint_hours.find(["local/a/one"], TWO)
    assert sorted(of.hour.hour for of in found) == [15, 16]
