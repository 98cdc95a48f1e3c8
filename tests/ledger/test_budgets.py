"""Budgets are never exceeded, and nothing is charged twice, whoever spends at the same time."""

import asyncio
import sqlite3
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.ledger.clock import clock
from tests.ledger.other_process import DEADLINE_S, open_ledger, process
from voxgate.errors import VoxgateError
from voxgate.ledger.address import Address
from voxgate.ledger.budget import Amount, Budget
from voxgate.ledger.generation import Delivered, Generation, Outcome
from voxgate.ledger.key import Key
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.lifecycle import LEASE
from voxgate.ledger.periods import Reset, period_start

PRICE = {"amount": "0.0001", "unit": "second", "minimum_s": "0", "increment_s": "0"}
COST = Amount(nanodollars=1000, samples=16_000)


@pytest.fixture
async def key(ledger: Ledger) -> Key:
    return (await ledger.keys.create("laptop"))[0]


async def begin(ledger: Ledger, key: Key, name: str = "gen-1") -> str:
    await ledger.generations.begin(Generation(name, key.hash, "model", price=PRICE))
    return name


async def budget(ledger: Ledger, key: Key) -> Budget:
    found = await ledger.budgets.find(key.hash)
    assert found
    return found


async def test_a_key_without_limits_has_no_budget(ledger: Ledger, key: Key) -> None:
    assert await ledger.budgets.find(key.hash) is None
    name = await begin(ledger, key)
    await ledger.generations.finish(name, Outcome(200, 1, cost=COST))
    assert await ledger.budgets.find(key.hash) is None


async def test_a_reservation_becomes_spending(ledger: Ledger, key: Key) -> None:
    await ledger.keys.edit(key.hash, limit_nanodollars=5000, limit_samples=80_000, reset=None)
    name = await begin(ledger, key)
    assert await ledger.budgets.reserve(name, key.hash, Amount(2000, 32_000))
    assert (await budget(ledger, key)).left == Amount(3000, 48_000)
    await ledger.generations.finish(name, Outcome(200, 1, cost=COST))
    found = await budget(ledger, key)
    assert (found.spent_nanodollars, found.spent_samples) == (1000, 16_000)
    assert (found.reserved_nanodollars, found.reserved_samples) == (0, 0)


@pytest.mark.parametrize("limits", [(1999, None), (None, 31_999), (1999, 31_999)])
async def test_more_than_is_left_is_refused_and_changes_nothing(
    ledger: Ledger, key: Key, limits: tuple[int | None, int | None]
) -> None:
    nanodollars, samples = limits
    await ledger.keys.edit(
        key.hash, limit_nanodollars=nanodollars, limit_samples=samples, reset=None
    )
    name = await begin(ledger, key)
    assert await ledger.budgets.reserve(name, key.hash, COST)
    before = await budget(ledger, key)
    assert not await ledger.budgets.reserve(name, key.hash, COST)
    assert await budget(ledger, key) == before
    found = await ledger.generations.find(name, key.hash)
    assert found
    assert found.reserved_nanodollars == COST.nanodollars


async def test_a_generation_ends_once(ledger: Ledger, key: Key) -> None:
    await ledger.keys.edit(key.hash, limit_nanodollars=5000, limit_samples=None, reset=None)
    name = await begin(ledger, key)
    await ledger.budgets.reserve(name, key.hash, COST)
    outcomes = await asyncio.gather(
        *(ledger.generations.finish(name, Outcome(200, 1, cost=COST)) for _ in range(10)),
        return_exceptions=True,
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(outcome is None or isinstance(outcome, VoxgateError) for outcome in outcomes)
    found = await budget(ledger, key)
    assert (found.spent_nanodollars, found.reserved_nanodollars) == (1000, 0)


@pytest.mark.parametrize("reset", ["daily", "weekly", "monthly"])
async def test_spending_begins_anew_with_each_period(
    ledger: Ledger, key: Key, reset: Reset
) -> None:
    now = datetime(2028, 2, 29, 12, tzinfo=UTC)
    with clock(now):
        await ledger.keys.edit(key.hash, limit_nanodollars=1000, limit_samples=None, reset=reset)
        name = await begin(ledger, key)
        assert await ledger.budgets.reserve(name, key.hash, COST)
        await ledger.generations.finish(name, Outcome(200, 1, cost=COST))
        other = await begin(ledger, key, "gen-2")
        assert not await ledger.budgets.reserve(other, key.hash, COST)
    with clock(period_start(reset, now) + timedelta(days=32)):
        assert (await budget(ledger, key)).spent_nanodollars == 0
        assert await ledger.budgets.reserve(other, key.hash, COST)
    with clock(now):  # set back: no second budget for the period that is over
        assert (await budget(ledger, key)).reserved_nanodollars == 1000
        third = await begin(ledger, key, "gen-3")
        assert not await ledger.budgets.reserve(third, key.hash, COST)


async def test_what_is_reserved_in_one_period_is_spent_in_that_of_its_end(
    ledger: Ledger, key: Key
) -> None:
    evening = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    with clock(evening):
        await ledger.keys.edit(key.hash, limit_nanodollars=1500, limit_samples=None, reset="daily")
        name = await begin(ledger, key)
        assert await ledger.budgets.reserve(name, key.hash, COST)
    with clock(evening + timedelta(minutes=2)):
        other = await begin(ledger, key, "gen-2")
        assert not await ledger.budgets.reserve(other, key.hash, COST)  # still reserved
        await ledger.generations.finish(name, Outcome(200, 1, cost=COST))
        found = await budget(ledger, key)
    assert (found.spent_nanodollars, found.reserved_nanodollars) == (1000, 0)
    assert found.period_start == datetime(2027, 1, 1, tzinfo=UTC)


async def test_new_limits_keep_what_is_spent(ledger: Ledger, key: Key) -> None:
    await ledger.keys.edit(key.hash, limit_nanodollars=1000, limit_samples=None, reset=None)
    name = await begin(ledger, key)
    await ledger.budgets.reserve(name, key.hash, COST)
    await ledger.generations.finish(name, Outcome(200, 1, cost=COST))
    await ledger.keys.edit(key.hash, limit_nanodollars=1500, limit_samples=None, reset=None)
    assert (await budget(ledger, key)).left == Amount(500, 0)


async def test_nothing_is_reserved_for_what_has_ended(ledger: Ledger, key: Key) -> None:
    """As for a job that is cancelled while it reserves more."""
    await ledger.keys.edit(key.hash, limit_nanodollars=5000, limit_samples=None, reset=None)
    name = await begin(ledger, key)
    assert await ledger.budgets.reserve(name, key.hash, COST)
    await ledger.generations.finish(name, Outcome(200, 1, cost=COST))
    before = await budget(ledger, key)
    with pytest.raises(VoxgateError, match="gen-1 was ended"):
        await ledger.budgets.reserve(name, key.hash, COST)
    with pytest.raises(VoxgateError, match="gen-2 was ended"):
        await ledger.budgets.reserve("gen-2", key.hash, COST)
    assert await budget(ledger, key) == before


async def test_one_that_cannot_be_read_keeps_no_other_from_its_end(
    ledger: Ledger, key: Key
) -> None:
    """Another version may have written its price; a clock may have been in 1970."""
    price = PRICE | {"unit": "fortnight"}
    early = datetime(1970, 1, 1, tzinfo=UTC)
    for name, fields in {"gen-1": {"price": price}, "gen-2": {"created_at": early}}.items():
        generation = Generation(name, key.hash, "model", **fields)  # type: ignore[arg-type]
        await ledger.generations.begin(generation)
    with clock(datetime.now(UTC) + LEASE + timedelta(seconds=1)):
        assert await ledger.generations.close_expired() == ["gen-2"]
        assert await ledger.generations.close_expired() == []


async def test_writes_of_the_same_generations_are_in_no_deadlock(ledger: Ledger, key: Key) -> None:
    """Renewals, reservations and ends of the same generations, all at once."""
    await ledger.keys.edit(key.hash, limit_nanodollars=10**9, limit_samples=None, reset="daily")
    names = [await begin(ledger, key, f"gen-{number}") for number in range(40)]

    async def use(name: str) -> None:
        for _ in range(3):
            assert await ledger.budgets.reserve(name, key.hash, COST)
        await ledger.generations.finish(name, Outcome(200, 1, cost=COST))

    async def renew() -> None:
        for _ in range(5):
            await ledger.generations.renew(dict.fromkeys(names, Delivered(0, 0)))

    await asyncio.gather(*map(use, names), renew(), renew())
    found = await budget(ledger, key)
    assert (found.spent_nanodollars, found.reserved_nanodollars) == (40_000, 0)


async def test_a_dead_server_is_charged_with_what_it_delivered(ledger: Ledger, key: Key) -> None:
    await ledger.keys.edit(key.hash, limit_nanodollars=10_000_000, limit_samples=None, reset=None)
    names = [await begin(ledger, key, f"gen-{number}") for number in range(3)]
    for name in names:
        await ledger.budgets.reserve(name, key.hash, Amount(1_000_000, 160_000))
    await ledger.generations.renew({names[0]: Delivered(48_000, 30), names[1]: Delivered(0, 0)})
    assert await ledger.generations.close_expired() == []
    with clock(datetime.now(UTC) + LEASE + timedelta(seconds=1)):
        closed = await asyncio.gather(*(ledger.generations.close_expired() for _ in range(5)))
    assert sorted(name for each in closed for name in each) == names
    found = await budget(ledger, key)
    assert (found.spent_nanodollars, found.reserved_nanodollars) == (300_000, 0)
    first = await ledger.generations.find(names[0], key.hash)
    assert first
    assert (first.error_code, first.cost_nanodollars) == ("interrupted", 300_000)
    assert (first.audio_samples, first.lease_until) == (48_000, None)
    with pytest.raises(VoxgateError):  # the server was not dead, only late
        await ledger.generations.finish(names[0], Outcome(200, 1, cost=COST))
    assert await budget(ledger, key) == found


async def test_a_server_that_wakes_while_the_dead_are_closed_goes_on(
    sqlite_ledger: Ledger, path: Path
) -> None:
    """It renews its lease after the list of the dead was read, and before its own turn."""
    for number in range(2):
        await sqlite_ledger.generations.begin(Generation(f"gen-{number}", None, "model"))
    late = datetime.now(UTC) + LEASE + timedelta(seconds=1)
    renewed = f"{late + LEASE:%Y-%m-%d %H:%M:%S.%f}"

    def wake(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT generations.id \n"):
            with closing(sqlite3.connect(path)) as other, other:
                other.execute(
                    "UPDATE generations SET lease_until = ? WHERE id = 'gen-1'", [renewed]
                )

    event.listen(Engine, "after_cursor_execute", wake)
    try:
        with clock(late):
            assert await sqlite_ledger.generations.close_expired() == ["gen-0"]
    finally:
        event.remove(Engine, "after_cursor_execute", wake)
    await sqlite_ledger.generations.finish("gen-1", Outcome(200, 1))


async def test_a_dead_server_is_charged_with_the_tokens_that_it_delivered(
    ledger: Ledger, key: Key
) -> None:
    price = {"amount": "2", "unit": "million tokens", "minimum_s": "0", "increment_s": "0"}
    await ledger.generations.begin(Generation("gen-1", key.hash, "model", price=price))
    await ledger.generations.renew({"gen-1": Delivered(48_000, 30)})
    with clock(datetime.now(UTC) + LEASE + timedelta(seconds=1)):
        assert await ledger.generations.close_expired() == ["gen-1"]
    found = await ledger.generations.find("gen-1", key.hash)
    assert found
    assert (found.tokens, found.audio_samples, found.cost_nanodollars) == (30, 48_000, 60_000)


@pytest.mark.parametrize("samples", [0, 16_000])
async def test_a_dead_server_is_charged_with_all_tokens_of_an_answer(
    ledger: Ledger, key: Key, samples: int
) -> None:
    """Whatever its sound: 16 000 samples have 20 tokens at most."""
    price = {"amount": "2", "unit": "million tokens", "minimum_s": "0", "increment_s": "0"}
    answer = Generation("gen-1", key.hash, "model", price=price, api_type="completions")
    await ledger.generations.begin(answer)
    await ledger.generations.renew({"gen-1": Delivered(samples, 3000)})
    with clock(datetime.now(UTC) + LEASE + timedelta(seconds=1)):
        assert await ledger.generations.close_expired() == ["gen-1"]
    found = await ledger.generations.find("gen-1", key.hash)
    assert found
    assert (found.tokens, found.cost_nanodollars) == (3000, 6_000_000)


async def test_servers_that_share_a_budget_never_exceed_it(address: Address) -> None:
    """Four processes want 200 recordings of a budget for 100."""
    async with await Ledger.open(address) as ledger:
        key, _ = await ledger.keys.create("laptop")
        await ledger.keys.edit(
            key.hash, limit_nanodollars=100 * COST.nanodollars, limit_samples=None, reset="monthly"
        )
    body = """
        async def one(number):
            name = f"gen-{arguments[1]}-{number}"
            await ledger.generations.begin(Generation(name, arguments[0], "model"))
            cost = Amount(1000, 16_000)
            served = await ledger.budgets.reserve(name, arguments[0], cost)
            outcome = Outcome(200, 1, cost=cost) if served else Outcome(402, 1)
            await ledger.generations.finish(name, outcome)
            return served
        print(sum(await asyncio.gather(*(one(number) for number in range(50)))))
        """
    with ExitStack() as stack:
        children = [stack.enter_context(process(body, address, key.hash, name)) for name in "abcd"]
        for child in children:
            open_ledger(child)
        outputs = [child.communicate(timeout=DEADLINE_S)[0] for child in children]
    assert sum(map(int, outputs)) == 100
    async with await Ledger.open(address) as ledger:
        found = await budget(ledger, key)
    assert (found.spent_nanodollars, found.reserved_nanodollars) == (100_000, 0)
