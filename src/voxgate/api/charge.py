"""`Charge`: what one generation costs, reserved of its key's budget as its sound comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from voxgate.ledger.budget import Amount
from voxgate.ledger.budget_exceeded import budget_exceeded
from voxgate.prices import SAMPLES_PER_S

if TYPE_CHECKING:
    from voxgate.api.job import Job
    from voxgate.ledger.ledger import Ledger
    from voxgate.prices import Price


class Charge:
    """The cost of one job's generation. `cover` sound before work is done for it."""

    def __init__(self, ledger: Ledger, job: Job, price: Price | None, *, limited: bool) -> None:
        """`limited` says that the job's key has a budget, without which nothing is reserved."""
        self._budgets, self._job, self.price = ledger.budgets, job, price
        self._reserved = Amount()
        self._limited = limited
        self._lock = asyncio.Lock()

    async def cover(self, seconds: float) -> None:
        """Reserve what so much of the recording costs, unless it is reserved already.

        Raises `VoxgateError` (`budget_exceeded`).
        """
        wanted = self.of(seconds)
        if self.price and self._job.estimate_nanodollars is None:
            self._job.estimate_nanodollars = wanted.nanodollars
        if not self._limited or self._job.owner is None:
            return
        async with self._lock:
            more = Amount(
                max(0, wanted.nanodollars - self._reserved.nanodollars),
                max(0, wanted.samples - self._reserved.samples),
            )
            if not more:
                return
            if await self._budgets.reserve(self._job.id, self._job.owner, more):
                self._reserved += more
                return
            budget = await self._budgets.find(self._job.owner)
            if budget and budget.limited:
                raise budget_exceeded(budget, more, rest=bool(self._reserved))
            self._limited = False  # its limits were removed meanwhile

    def of(self, seconds: float) -> Amount:
        """Return the cost of so much decoded sound; of none, nothing."""
        samples = round(seconds * SAMPLES_PER_S)
        nanodollars = self.price.nanodollars(samples) if self.price and samples else 0
        return Amount(nanodollars, samples)
