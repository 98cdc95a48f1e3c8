"""`Leases`: says to the ledger that this server lives, and ends what belongs to dead ones."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from voxgate.errors import LedgerError, VoxgateError
from voxgate.ledger.generations import LEASE
from voxgate.prices import SAMPLES_PER_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voxgate.api.jobs import Jobs
    from voxgate.ledger.generation import Outcome
    from voxgate.ledger.generations import Generations

RENEWAL_S = 10.0
"""The time between two signs of life; a lease is several times as long."""

TRUST_S = LEASE.total_seconds()
"""How long this server's own signs of life must have come through, before it takes others for dead.

A database that was away for longer than a lease has heard of nobody.
"""

log = logging.getLogger(__name__)


class Leases:
    """The leases of the jobs of one server.

    An outcome that the ledger does not take is kept, and offered again with each sign of life:
    nothing delivered goes without a charge because a disk was full for a minute.
    """

    def __init__(self, generations: Generations, jobs: Jobs) -> None:
        self._generations, self._jobs = generations, jobs
        self._waiting: dict[str, Outcome] = {}
        self._heard_since = time.monotonic()

    async def finish(self, generation: str, outcome: Outcome) -> None:
        """Store the outcome of a generation now, or as soon as the ledger takes it."""
        self._waiting[generation] = outcome  # first: the caller may be cancelled
        try:
            await self._generations.finish(generation, outcome)
        except LedgerError as error:
            log.error("%s waits for the ledger: %s", generation, error.sentence)  # noqa: TRY400
            return
        except VoxgateError as error:  # it was ended as a dead server's, or had been stored
            log.error("%s: %s", generation, error.sentence)  # noqa: TRY400
        self._waiting.pop(generation, None)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew the leases inside the context, and end generations of dead servers."""
        task = asyncio.create_task(self._tend_regularly())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            for generation, outcome in list(self._waiting.items()):
                await self.finish(generation, outcome)

    async def _tend_regularly(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL_S)
            await self._tend()

    async def _tend(self) -> None:
        for generation, outcome in list(self._waiting.items()):
            await self.finish(generation, outcome)
        delivered = {
            **{job.id: round(job.delivered_s * SAMPLES_PER_S) for job in self._jobs.unfinished},
            **{name: outcome.cost.samples for name, outcome in self._waiting.items()},
        }
        try:
            await self._generations.renew(delivered)
            if time.monotonic() - self._heard_since >= TRUST_S:
                for generation in await self._generations.close_expired():
                    log.warning("%s was interrupted: its server was killed", generation)
        except VoxgateError as error:
            self._heard_since = time.monotonic()
            log.error("leases cannot be renewed: %s", error.sentence)  # noqa: TRY400
