"""Writes that wait at the same time share a transaction, and nothing else."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import astuple
from datetime import date

import asyncpg
import pytest

from tests.ledger import postgres
from tests.ledger.other_process import DEADLINE_S
from tests.ledger.statements import sent
from voxgate.errors import LedgerError, VoxgateError
from voxgate.ledger import group_commit
from voxgate.ledger.activity_query import ActivityQuery
from voxgate.ledger.budget import Amount
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.ledger import Ledger

COST = Amount(nanodollars=1000, samples=16_000)
EVER = ActivityQuery(date(2000, 1, 1), date(2100, 1, 1), ("model", "app"))


def generation(number: int, key_hash: str | None = None) -> Generation:
    title = f"app {number % 3}"
    return Generation(f"gen-{number}", key_hash, f"a/{number % 2}", app_title=title)


def outcome(number: int) -> Outcome:
    return Outcome(
        status=503 if number % 7 == 0 else 200,
        latency_ms=100 * number,
        generation_time_ms=50 * number,
        audio_samples=16_000,
        cost=COST,
    )


async def test_beginnings_that_wait_are_one_statement(ledger: Ledger) -> None:
    with sent() as statements:
        left = await asyncio.gather(*(ledger.generations.begin(generation(n)) for n in range(50)))
    assert left == [True] * 50
    assert [each.split()[:3] for each in statements] == [["INSERT", "INTO", "generations"]]
    assert await ledger.generations.find("gen-49", None)


async def test_after_many_a_group_waits_for_more(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "GATHER_S", 0.2)
    many = range(group_commit.MANY)
    await asyncio.gather(*(ledger.generations.begin(generation(n)) for n in many))
    with sent() as statements:
        first = asyncio.create_task(ledger.generations.begin(generation(100)))
        for _ in range(20):
            await asyncio.sleep(0)  # turns of the event loop in which the first would be written
        assert await ledger.generations.begin(generation(101))
        assert await first
    assert len(statements) == 1


async def test_after_few_nobody_waits(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "GATHER_S", 2 * DEADLINE_S)
    async with asyncio.timeout(DEADLINE_S):
        for number in range(3):
            assert await ledger.generations.begin(generation(number))


async def test_a_group_has_so_many_at_most(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MOST_ITEMS", 10)
    with sent() as statements:
        left = await asyncio.gather(*(ledger.generations.begin(generation(n)) for n in range(25)))
    assert (left, len(statements)) == ([True] * 25, 3)


async def test_ends_that_wait_change_the_budget_and_the_sums_once(ledger: Ledger) -> None:
    key, _ = await ledger.keys.create("laptop", limit_nanodollars=10**9)
    names = [f"gen-{number}" for number in range(50)]
    await asyncio.gather(
        *(ledger.generations.begin(generation(n, key.hash), COST) for n in range(50))
    )
    with sent() as statements:
        await asyncio.gather(*(ledger.generations.finish(name, outcome(1)) for name in names))
    changed = [each.split()[1] for each in statements if each.startswith("UPDATE")]
    assert changed == ["generations"] * 50 + ["budgets"]
    added = [each.split()[2] for each in statements if each.startswith("INSERT")]
    assert added == ["usage_days", "usage_histograms", "usage_hours"]
    budget = await ledger.budgets.find(key.hash)
    assert budget
    assert (budget.spent_nanodollars, budget.reserved) == (50_000, Amount())


async def test_beginnings_and_ends_that_wait_are_one_transaction(ledger: Ledger) -> None:
    key, _ = await ledger.keys.create("laptop", limit_nanodollars=7000)
    await asyncio.gather(
        *(ledger.generations.begin(generation(n, key.hash), COST) for n in range(5))
    )
    with sent() as statements:
        *left, _, _, _, _, _ = await asyncio.gather(
            *(ledger.generations.begin(generation(n, key.hash), Amount(2000)) for n in (5, 6, 7)),
            *(ledger.generations.finish(f"gen-{n}", outcome(1)) for n in range(5)),
        )
    assert [each.split()[0] for each in statements[:6]] == ["INSERT", *["UPDATE"] * 5]
    assert [each.split()[2] for each in statements if each.startswith("INSERT")] == [
        *("generations", "usage_days", "usage_histograms", "usage_hours"),
    ]
    assert left == [True, False, False]
    budget = await ledger.budgets.find(key.hash)
    assert budget
    assert (budget.spent_nanodollars, budget.reserved_nanodollars) == (5000, 2000)


async def test_an_end_of_a_group_counts_once(ledger: Ledger) -> None:
    await ledger.generations.begin(generation(0))
    ended = await asyncio.gather(
        ledger.generations.finish("gen-0", outcome(1)),
        ledger.generations.finish("gen-0", outcome(1)),
        ledger.generations.begin(generation(1)),
        return_exceptions=True,
    )
    assert [type(each) for each in ended] == [type(None), VoxgateError, bool]
    _, total = await ledger.activity.find_with_total(EVER)
    assert total.requests == 1


async def test_what_ends_together_is_summed_as_what_ends_one_by_one(ledger: Ledger) -> None:
    for number in range(48):
        await ledger.generations.begin(generation(number))
    for number in range(24):
        await ledger.generations.finish(f"gen-{number}", outcome(number))
    one_by_one = await ledger.activity.find(EVER)
    await asyncio.gather(
        *(ledger.generations.finish(f"gen-{24 + n}", outcome(n)) for n in range(24))
    )
    both = await ledger.activity.find(EVER)
    assert [row.requests for row in one_by_one] == [4] * 6
    assert [row.group for row in both] == [row.group for row in one_by_one]
    for single, double in zip(one_by_one, both, strict=True):
        assert astuple(double)[1:6] == tuple(2 * value for value in astuple(single)[1:6])
        assert double.latency_ms == single.latency_ms
        assert double.real_time_factor == single.real_time_factor


async def test_one_that_fails_fails_alone(ledger: Ledger) -> None:
    key, _ = await ledger.keys.create("laptop")
    await ledger.generations.begin(generation(0, key.hash))
    owners = {2: "0" * 64}  # no key
    begun = await asyncio.gather(
        *(ledger.generations.begin(generation(n, owners.get(n, key.hash))) for n in range(6)),
        return_exceptions=True,
    )
    assert [isinstance(each, LedgerError) for each in begun] == [n in (0, 2) for n in range(6)]
    assert "unique" in str(begun[0]).lower()
    assert "foreign key" in str(begun[2]).lower()
    ended = await asyncio.gather(
        ledger.generations.finish("gen-0", outcome(0)),
        ledger.generations.finish("gen-1", Outcome(200, 1, cost=Amount(2**63))),
        ledger.generations.finish("gen-2", outcome(2)),  # it never began
        ledger.generations.finish("gen-3", outcome(3)),
        return_exceptions=True,
    )
    assert [type(each) for each in ended] == [type(None), LedgerError, VoxgateError, type(None)]
    _, total = await ledger.activity.find_with_total(EVER)
    assert (total.requests, total.nanodollars) == (2, 2 * COST.nanodollars)


async def test_a_budget_serves_as_many_of_a_group_as_it_allows(ledger: Ledger) -> None:
    small, _ = await ledger.keys.create("small", limit_nanodollars=3000)
    large, _ = await ledger.keys.create("large", limit_nanodollars=10**9)
    owners = [small, large] * 5
    left = await asyncio.gather(
        *(ledger.generations.begin(generation(n, key.hash), COST) for n, key in enumerate(owners))
    )
    assert left[1::2] == [True] * 5
    assert left[::2] == [True, True, True, False, False]
    for number, is_left in enumerate(left):
        found = await ledger.generations.find(f"gen-{number}", owners[number].hash)
        assert found
        assert found.reserved_nanodollars == (COST.nanodollars if is_left else 0)
    budgets = [await ledger.budgets.find(key.hash) for key in (small, large)]
    assert [each and each.reserved_nanodollars for each in budgets] == [3000, 5000]


async def test_a_caller_who_is_cancelled_is_written_with_its_group(ledger: Ledger) -> None:
    tasks = [
        asyncio.create_task(ledger.generations.begin(generation(number))) for number in range(10)
    ]
    await asyncio.sleep(0)  # let them begin
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in results] == [True, False] * 5
    for number in range(10):
        await ledger.generations.finish(f"gen-{number}", outcome(number))


async def test_a_database_that_fails_fails_for_all(ledger: Ledger) -> None:
    await ledger._database.write(
        lambda connection: connection.exec_driver_sql("ALTER TABLE generations RENAME TO lost")
    )
    begun = await asyncio.gather(
        *(ledger.generations.begin(generation(number)) for number in range(5)),
        return_exceptions=True,
    )
    assert [type(each) for each in begun] == [LedgerError] * 5


async def test_a_ledger_that_closes_writes_what_waits(ledger: Ledger) -> None:
    tasks = [
        asyncio.create_task(ledger.generations.begin(generation(number))) for number in range(10)
    ]
    await asyncio.sleep(0)  # let them begin
    await ledger.aclose()
    assert await asyncio.gather(*tasks) == [True] * 10
    with pytest.raises(LedgerError, match="is closed"):
        await ledger.generations.begin(generation(10))


async def test_connections_that_break_fail_their_group_at_once(
    server: postgres.Server, migrated: str
) -> None:
    """Once it is done again. Each by itself would wait as long, with connections others need."""
    address = server.create(template=migrated)
    name, host = address.url.database, str(server.folder)
    async with (
        await Ledger.open(address) as ledger,
        AsyncExitStack() as stack,
    ):
        locking, watching = [
            await asyncpg.connect(user=postgres.USER, database=name, host=host) for _ in range(2)
        ]
        stack.push_async_callback(locking.close)
        stack.push_async_callback(watching.close)
        async with locking.transaction():
            await locking.execute("LOCK TABLE generations IN EXCLUSIVE MODE")
            with sent() as statements:
                begun = [
                    asyncio.create_task(ledger.generations.begin(generation(n))) for n in range(20)
                ]
                for _ in range(2):
                    async with asyncio.timeout(DEADLINE_S):
                        while not (waiting := await watching.fetchval(WAITING)):  # noqa: ASYNC110 (another process)
                            await asyncio.sleep(0.01)
                    await watching.execute(f"SELECT pg_terminate_backend({waiting}, 10000)")
                results = await asyncio.gather(*begun, return_exceptions=True)
        assert all(isinstance(each, LedgerError) for each in results)
        assert len([each for each in statements if each.startswith("INSERT")]) == 2
        assert await ledger.generations.begin(generation(1))


WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'INSERT'"
