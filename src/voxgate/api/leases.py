"""`Leases`: renews the leases of this server's generations, and ends those of killed servers."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from voxgate.errors import LedgerError, VoxgateError
from voxgate.ledger.generation import Delivered
from voxgate.ledger.lifecycle import LEASE
from voxgate.prices import SAMPLES_PER_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voxgate.api.job import AnyJob
    from voxgate.api.jobs import Jobs
    from voxgate.ledger.generation import Outcome
    from voxgate.ledger.generations import Generations

HEARTBEAT_S = 10.0
"""The time between two renewals; a lease is several times as long."""

STEADY_S = LEASE.total_seconds()
"""How long this server's own renewals must have succeeded before it ends others' generations.

After an outage of the database that was longer than a lease, all leases have expired.
"""

log = logging.getLogger(__name__)


class Leases:
    """The leases of the jobs of one server.

    An outcome that the ledger cannot store is kept, and stored again with each heartbeat: nothing
    delivered goes without a charge because a disk was full for a minute.
    """

    def __init__(self, generations: Generations, jobs: Jobs) -> None:
        self._generations, self._jobs = generations, jobs
        self._waiting: dict[str, Outcome] = {}
        self._being_stored: set[str] = set()
        self._held: set[AnyJob] = set()
        self._steady_since = time.monotonic()

    @property
    def waiting(self) -> int:
        """How many outcomes the ledger could not store yet."""
        return len(self._waiting)

    async def finish(self, generation: str, outcome: Outcome) -> None:
        """Store the outcome of a generation now, or as soon as the ledger can be written."""
        self._waiting[generation] = outcome  # first: the caller may be cancelled
        self._being_stored.add(generation)
        try:
            await self._generations.finish(generation, outcome)
        except LedgerError as error:
            log.error("%s waits for the ledger: %s", generation, error.sentence)  # noqa: TRY400
            return
        except VoxgateError as error:  # ended after its lease expired, or stored before
            log.error("%s: %s", generation, error.sentence)  # noqa: TRY400
        finally:
            self._being_stored.discard(generation)
        self._waiting.pop(generation, None)

    def hold(self, job: AnyJob) -> None:
        """Renew the lease of a job that has ended, until `release`: its outcome comes later."""
        self._held.add(job)

    def release(self, job: AnyJob) -> None:
        """Renew the lease no more, where `hold` did. May be called again."""
        self._held.discard(job)

    @asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Renew the leases inside the context, and end the generations of killed servers."""
        task = asyncio.create_task(self._send_heartbeats())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            await self._store_waiting()

    async def _store_waiting(self) -> None:
        """Store again the outcomes that the ledger could not store, together."""
        await asyncio.gather(
            *(
                self.finish(generation, outcome)
                for generation, outcome in self._waiting.items()
                if generation not in self._being_stored
            )
        )

    async def _send_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._send_heartbeat()

    async def _send_heartbeat(self) -> None:
        delivered = {
            **{job.id: _delivered(job) for job in (*self._jobs.unfinished, *self._held)},
            **{
                name: Delivered(outcome.cost.samples, outcome.tokens or 0)
                for name, outcome in self._waiting.items()
            },
        }
        try:
            await self._generations.renew(delivered)
            if time.monotonic() - self._steady_since >= STEADY_S:
                for generation in await self._generations.close_expired():
                    log.warning("%s was interrupted: its server was killed", generation)
        except VoxgateError as error:
            self._steady_since = time.monotonic()
            log.error("leases cannot be renewed: %s", error.sentence)  # noqa: TRY400
        await self._store_waiting()  # last: each may wait for a lock, and leases do not


def _delivered(job: AnyJob) -> Delivered:
    return Delivered(round(job.delivered_s * SAMPLES_PER_S), job.delivered_tokens)
