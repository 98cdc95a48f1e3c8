"""`Retention`: deletes generations that are older than the operator keeps them. Their sums stay.

It removes the transcripts, too, that are older than their keys keep them, and the sums of hours.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from voxgate.errors import LedgerError
from voxgate.ledger.columns import utc_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from voxgate.ledger.ledger import Ledger

BATCH = 500
"""Rows that are deleted in one transaction: others wait some milliseconds for it."""

PAUSE_S = 0.05
"""Between two batches, in which others write."""

SWEEP_S = 3600.0
"""How long a generation or a transcript may stay after its time."""

MOST_DAYS = 100 * 365.0
"""More are for ever: the calendar does not go back as far."""

log = logging.getLogger(__name__)


class Retention:
    """Keeps generations for so many days from their beginning; `inf` is for ever."""

    def __init__(self, ledger: Ledger, days: float) -> None:
        self._ledger, self._days = ledger, days

    @asynccontextmanager
    async def swept(self) -> AsyncIterator[None]:
        """Within the context, delete what is older, beginning now."""
        sweeping = asyncio.create_task(self._keep_sweeping())
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)

    async def sweep(self) -> int:
        """Delete what is older, in small batches. Return how many generations were deleted.

        Raises `LedgerError`.
        """
        await _in_batches(self._ledger.transcripts.remove_expired)
        await _in_batches(self._ledger.usage_hours.remove_old)
        await _in_batches(self._ledger.endpoint_hours.remove_old)
        if self._days > MOST_DAYS:
            return 0
        before = utc_now() - timedelta(days=self._days)
        return await _in_batches(partial(self._ledger.generations.remove_before, before))

    async def _keep_sweeping(self) -> None:
        while True:
            try:
                if deleted := await self.sweep():
                    log.info("deleted %d generations older than %g days", deleted, self._days)
            except LedgerError as error:
                log.warning("old generations and transcripts could not be deleted: %s", error)
            await asyncio.sleep(SWEEP_S)


async def _in_batches(remove: Callable[[int], Awaitable[int]]) -> int:
    """Remove as many rows as there are, `BATCH` at a time. Return how many."""
    removed = 0
    while count := await remove(BATCH):
        removed += count
        await asyncio.sleep(PAUSE_S)
    return removed
