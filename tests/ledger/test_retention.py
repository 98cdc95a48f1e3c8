"""Old generations are deleted in batches; their sums stay."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from math import inf

import pytest

from voxgate.ledger import retention
from voxgate.ledger.activity_query import ActivityQuery
from voxgate.ledger.columns import utc_now
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.retention import Retention

EVER = ActivityQuery(date(2000, 1, 1), date(2100, 1, 1))


async def record(ledger: Ledger, name: str, days: float, *, finished: bool = True) -> None:
    created = utc_now() - timedelta(days=days)
    await ledger.generations.begin(Generation(name, None, "a/one", created_at=created))
    if finished:
        await ledger.generations.finish(name, Outcome(200, 5, audio_samples=16_000))


async def kept(ledger: Ledger, *names: str) -> list[str]:
    return [name for name in names if await ledger.generations.find(name, None)]


async def test_what_is_older_is_deleted_and_its_sums_stay(ledger: Ledger) -> None:
    await record(ledger, "older", 30.01)
    await record(ledger, "younger", 29.99)
    await record(ledger, "under way", 31, finished=False)
    _, before = await ledger.activity.find_with_total(EVER)
    assert await Retention(ledger, 30).sweep() == 1
    assert await kept(ledger, "older", "younger", "under way") == ["younger", "under way"]
    _, after = await ledger.activity.find_with_total(EVER)
    assert before == after
    assert (after.requests, after.audio_samples) == (2, 32_000)
    assert after.latency_ms


async def test_batches_follow_each_other(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    names = [f"gen-{number}" for number in range(8)]
    for name in names:
        await record(ledger, name, 5)
    assert await Retention(ledger, 4).sweep() == 8
    assert await kept(ledger, *names) == []


@pytest.mark.parametrize("days", [inf, 1e300, 36_501])
async def test_for_ever(ledger: Ledger, days: float) -> None:
    ancient = (datetime.now(UTC) - datetime(1, 1, 2, tzinfo=UTC)).days
    await record(ledger, "ancient", ancient)
    assert await Retention(ledger, days).sweep() == 0
    assert await kept(ledger, "ancient") == ["ancient"]


async def test_writers_write_between_batches(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    for number in range(5):
        await record(ledger, f"gen-{number}", 5)
    sweeping = asyncio.create_task(Retention(ledger, 4).sweep())
    await record(ledger, "new", 0)
    assert not sweeping.done()
    assert await sweeping == 5
    assert await kept(ledger, "new") == ["new"]
