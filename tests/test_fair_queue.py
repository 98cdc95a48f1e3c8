"""Who gets the next turn: counted, with parties that want more than others."""

import asyncio
from collections import Counter

import pytest

from voxgate.fair_queue import FairQueue


class Course:
    """Turns that are asked for all at once; each is noted when it begins, and then ends."""

    def __init__(self, places: int = 1) -> None:
        self.turns = FairQueue(places)
        self.began: list[str] = []
        self.gate = asyncio.Event()

    async def take(self, party: str, cost: float = 1.0) -> None:
        async with self.turns.turn(party, cost):
            self.began.append(party)
            await self.gate.wait()

    async def run(self, *wanted: tuple[str, int, float]) -> None:
        """`wanted`: parties with how many turns of which cost, in the order in which they ask."""
        tasks = [
            asyncio.create_task(self.take(party, cost))
            for party, count, cost in wanted
            for _ in range(count)
        ]
        await asyncio.sleep(0)
        self.gate.set()
        await asyncio.gather(*tasks)


async def test_a_party_alone_is_served_in_order() -> None:
    turns, order = FairQueue(1), list[int]()

    async def take(number: int) -> None:
        async with turns.turn("one"):
            order.append(number)

    await asyncio.gather(*(take(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]


async def test_whoever_wants_most_waits_for_the_others() -> None:
    course = Course()
    await course.run(("many", 50, 1), ("some", 10, 1), ("few", 2, 1))
    assert Counter(course.began[:7]) == {"many": 3, "some": 2, "few": 2}
    assert Counter(course.began[7:23]) == {"many": 8, "some": 8}


async def test_turns_that_cost_more_come_less_often() -> None:
    course = Course()
    await course.run(("long", 20, 30.0), ("short", 60, 10.0))
    first = Counter(course.began[:40])
    assert first["short"] == pytest.approx(3 * first["long"], abs=3)


async def test_who_was_away_has_saved_nothing_up() -> None:
    course = Course()
    await course.run(("here", 30, 1))
    course.began.clear()
    course.gate.clear()
    await course.run(("here", 10, 1), ("back", 10, 1))
    assert Counter(course.began[:10])["back"] in {5, 6}


async def test_places_are_all_used_and_no_more() -> None:
    course = Course(places=3)
    tasks = [asyncio.create_task(course.take("one")) for _ in range(5)]
    await asyncio.sleep(0)
    assert (len(course.began), course.turns.waiting) == (3, 2)
    course.gate.set()
    await asyncio.gather(*tasks)
    assert (len(course.began), course.turns.waiting) == (5, 0)


async def test_who_leaves_while_waiting_is_passed_over() -> None:
    course = Course()
    tasks = [asyncio.create_task(course.take(party)) for party in ("a", "b", "c", "b")]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[2].cancel()
    await asyncio.sleep(0)
    assert course.turns.waiting == 1
    course.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert course.began == ["a", "b"]


async def test_a_place_given_to_somebody_who_leaves_goes_on_to_the_next() -> None:
    turns, first = FairQueue(1), asyncio.Event()
    began = list[str]()

    async def hold() -> None:
        async with turns.turn("first"):
            await first.wait()
        waiting[0].cancel()  # it was given the place in this moment, and does not know yet

    async def take(party: str) -> None:
        async with turns.turn(party):
            began.append(party)

    holding = asyncio.create_task(hold())
    waiting = [asyncio.create_task(take(party)) for party in ("second", "third")]
    await asyncio.sleep(0)
    first.set()
    await holding
    await asyncio.gather(*waiting, return_exceptions=True)
    assert began == ["third"]


async def test_leaving_in_the_very_moment_in_which_a_place_is_given_up_costs_no_place() -> None:
    turns, first, began = FairQueue(1), asyncio.Event(), list[str]()

    async def hold() -> None:
        async with turns.turn("first"):
            await first.wait()
            waiting[0].cancel()  # it has not run since when the place is given up

    async def take(party: str) -> None:
        async with turns.turn(party):
            began.append(party)

    holding = asyncio.create_task(hold())
    waiting = [asyncio.create_task(take(party)) for party in ("second", "third")]
    await asyncio.sleep(0)
    first.set()
    await holding
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert began == ["third"]
    async with turns.turn("fourth"):
        began.append("fourth")
    assert began == ["third", "fourth"]


async def test_nothing_is_kept_of_parties_that_are_gone() -> None:
    turns = FairQueue(1)
    for number in range(1000):
        async with turns.turn(number):
            pass
    assert len(turns._clocks) < 5
