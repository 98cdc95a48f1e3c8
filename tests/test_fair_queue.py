"""Which tenant gets the next slot, counted, where some want more than others."""

import asyncio
from collections import Counter

import pytest

from voxgate.fair_queue import FairQueue


class Workload:
    """Requests for slots, made all at once. Each is recorded when it starts, and then ends."""

    def __init__(self, slots: int = 1) -> None:
        self.queue = FairQueue(slots)
        self.started: list[str] = []
        self.gate = asyncio.Event()

    async def take(self, tenant: str, cost: float = 1.0) -> None:
        async with self.queue.slot(tenant, cost):
            self.started.append(tenant)
            await self.gate.wait()

    async def run(self, *wanted: tuple[str, int, float]) -> None:
        """Each of `wanted` is a tenant, how many slots it asks for, and the cost of each."""
        tasks = [
            asyncio.create_task(self.take(tenant, cost))
            for tenant, count, cost in wanted
            for _ in range(count)
        ]
        await asyncio.sleep(0)
        self.gate.set()
        await asyncio.gather(*tasks)


async def test_a_tenant_alone_is_served_in_order() -> None:
    queue, order = FairQueue(1), list[int]()

    async def take(number: int) -> None:
        async with queue.slot("one"):
            order.append(number)

    await asyncio.gather(*(take(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]


async def test_the_tenant_that_wants_most_waits_for_the_others() -> None:
    workload = Workload()
    await workload.run(("many", 50, 1), ("some", 10, 1), ("few", 2, 1))
    assert Counter(workload.started[:7]) == {"many": 3, "some": 2, "few": 2}
    assert Counter(workload.started[7:23]) == {"many": 8, "some": 8}


async def test_slots_that_cost_more_are_granted_less_often() -> None:
    workload = Workload()
    await workload.run(("long", 20, 30.0), ("short", 60, 10.0))
    first = Counter(workload.started[:40])
    assert first["short"] == pytest.approx(3 * first["long"], abs=3)


async def test_a_tenant_that_was_away_gains_no_credit() -> None:
    workload = Workload()
    await workload.run(("here", 30, 1))
    workload.started.clear()
    workload.gate.clear()
    await workload.run(("here", 10, 1), ("back", 10, 1))
    assert Counter(workload.started[:10])["back"] in {5, 6}


async def test_all_slots_are_used_and_no_more() -> None:
    workload = Workload(slots=3)
    tasks = [asyncio.create_task(workload.take("one")) for _ in range(5)]
    await asyncio.sleep(0)
    assert (len(workload.started), workload.queue.waiting) == (3, 2)
    workload.gate.set()
    await asyncio.gather(*tasks)
    assert (len(workload.started), workload.queue.waiting) == (5, 0)


async def test_a_cancelled_waiter_is_skipped() -> None:
    workload = Workload()
    tasks = [asyncio.create_task(workload.take(tenant)) for tenant in ("a", "b", "c", "b")]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[2].cancel()
    await asyncio.sleep(0)
    assert workload.queue.waiting == 1
    workload.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert workload.started == ["a", "b"]


async def test_a_slot_granted_to_a_cancelled_waiter_goes_to_the_next() -> None:
    queue, first = FairQueue(1), asyncio.Event()
    began = list[str]()

    async def hold() -> None:
        async with queue.slot("first"):
            await first.wait()
        waiting[0].cancel()  # the slot was granted to it, and its task has not run since

    async def take(tenant: str) -> None:
        async with queue.slot(tenant):
            began.append(tenant)

    holding = asyncio.create_task(hold())
    waiting = [asyncio.create_task(take(tenant)) for tenant in ("second", "third")]
    await asyncio.sleep(0)
    first.set()
    await holding
    await asyncio.gather(*waiting, return_exceptions=True)
    assert began == ["third"]


async def test_a_cancel_at_the_moment_of_a_release_loses_no_slot() -> None:
    queue, first, began = FairQueue(1), asyncio.Event(), list[str]()

    async def hold() -> None:
        async with queue.slot("first"):
            await first.wait()
            waiting[0].cancel()  # its task has not run when the slot is released

    async def take(tenant: str) -> None:
        async with queue.slot(tenant):
            began.append(tenant)

    holding = asyncio.create_task(hold())
    waiting = [asyncio.create_task(take(tenant)) for tenant in ("second", "third")]
    await asyncio.sleep(0)
    first.set()
    await holding
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert began == ["third"]
    async with queue.slot("fourth"):
        began.append("fourth")
    assert began == ["third", "fourth"]


async def test_nothing_is_kept_for_tenants_that_are_gone() -> None:
    queue = FairQueue(1)
    for number in range(1000):
        async with queue.slot(number):
            pass
    assert len(queue._clocks) < 5
