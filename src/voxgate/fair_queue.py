"""`FairQueue`: a limited number of slots, shared fairly between tenants.

The algorithm is start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996). Each use of a slot
has a cost, and each tenant has a virtual clock that adds up its costs. A free slot goes to the
waiting tenant with the smallest clock. A tenant that arrives or returns starts at the clock value
of the last slot that was granted: it gains no credit for the time it was away, and does not pay
for what others used before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

    Waiter = tuple[asyncio.Future[None], float]  # resolved when the slot is granted; its cost


class FairQueue:
    """At most `slots` users at once, within one event loop. First in, first out per tenant."""

    def __init__(self, slots: int) -> None:
        self._slots = self._free = slots
        self._waiting: dict[Hashable, deque[Waiter]] = {}
        self._clocks: dict[Hashable, float] = {}
        self._virtual_time = 0.0  # the clock of the tenant that was granted the last slot

    @property
    def waiting(self) -> int:
        """The number of callers that wait for a slot."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def slot(self, tenant: Hashable = None, cost: float = 1.0) -> AsyncIterator[None]:
        """Wait for a slot and hold it inside the context. All costs must share one unit."""
        granted = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append((granted, cost))
        self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():  # granted just before the cancellation
                self._release()
            else:
                self._remove(tenant, granted)
            raise
        try:
            yield
        finally:
            self._release()

    def _release(self) -> None:
        self._free += 1
        self._grant()
        if self._free == self._slots:
            self._clocks.clear()  # no tenant holds a slot: there is no share to keep account of

    def _grant(self) -> None:
        while self._free and self._waiting:
            tenant = min(self._waiting, key=self._clock)  # of equals, the one that waited first
            granted, cost = self._waiting[tenant].popleft()
            if not self._waiting[tenant]:
                del self._waiting[tenant]
            if granted.done():  # cancelled, and its task has not run since
                continue
            self._virtual_time = self._clock(tenant)
            self._clocks[tenant] = self._virtual_time + cost
            self._free -= 1
            granted.set_result(None)

    def _clock(self, tenant: Hashable) -> float:
        return max(self._clocks.get(tenant, 0.0), self._virtual_time)

    def _remove(self, tenant: Hashable, granted: asyncio.Future[None]) -> None:
        others = deque(w for w in self._waiting.get(tenant, ()) if w[0] is not granted)
        if others:
            self._waiting[tenant] = others
        else:
            self._waiting.pop(tenant, None)
