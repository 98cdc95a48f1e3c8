"""`FairQueue`: a few places that many want, shared fairly between the parties that want them.

Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996): every turn has a cost, every party a
clock of what its turns have cost, and the next place goes to the waiting party whose clock is
furthest behind. A party that comes, or comes back, starts at the clock of the turn that was given
last: nobody saves up turns by being away, and nobody waits for what others did before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

    Place = tuple[asyncio.Future[None], float]  # who waits, and what the turn will cost


class FairQueue:
    """`places` turns at once, within one event loop. Within a party, first come, first served."""

    def __init__(self, places: int) -> None:
        self._places = self._free = places
        self._waiting: dict[Hashable, deque[Place]] = {}
        self._clocks: dict[Hashable, float] = {}
        self._now = 0.0  # the clock at which the last turn began

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def turn(self, party: Hashable = None, cost: float = 1.0) -> AsyncIterator[None]:
        """Wait for a place, and have it inside. `cost` is in a unit that all turns share."""
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(party, deque()).append((place, cost))
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it was given in the same moment
                self._leave()
            else:
                self._forget(party, place)
            raise
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        self._free += 1
        self._admit()
        if self._free == self._places:
            self._clocks.clear()  # nobody has anything: nothing is left to be shared

    def _admit(self) -> None:
        while self._free and self._waiting:
            party = min(self._waiting, key=self._clock)  # of equals, who began to wait first
            place, cost = self._waiting[party].popleft()
            if not self._waiting[party]:
                del self._waiting[party]
            if place.done():  # who waited has left in this very moment, and does not know yet
                continue
            self._now = self._clock(party)
            self._clocks[party] = self._now + cost
            self._free -= 1
            place.set_result(None)

    def _clock(self, party: Hashable) -> float:
        return max(self._clocks.get(party, 0.0), self._now)

    def _forget(self, party: Hashable, place: asyncio.Future[None]) -> None:
        left = deque(other for other in self._waiting.get(party, ()) if other[0] is not place)
        if left:
            self._waiting[party] = left
        else:
            self._waiting.pop(party, None)
