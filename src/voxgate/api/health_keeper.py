"""`HealthKeeper`: the health of endpoints outlives the server's process, in the ledger.

What a process counted since it last wrote, a minute at most, is lost where it is killed.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from voxgate.errors import LedgerError
from voxgate.ledger.columns import utc_now
from voxgate.ledger.endpoint_hours import HourOfEndpoint
from voxgate.ledger.usage_hours import HOURS_KEPT, start_of_hour
from voxgate.routing.health import SavedHealth
from voxgate.routing.tally import AttemptCount

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from voxgate.ledger.endpoint_health import EndpointHealths, SavedEndpoint
    from voxgate.ledger.endpoint_hours import EndpointHours
    from voxgate.routing.health import HealthBook

SAVED_EVERY_S = 60.0
HOUR_S = 3600.0

log = logging.getLogger(__name__)


def take_over(book: HealthBook, found: Iterable[SavedEndpoint]) -> None:
    """Load what was saved of endpoints into a book that has nothing of them yet."""
    now = utc_now()
    for each in found:
        try:
            health = msgspec.convert(each.health, SavedHealth, strict=False)
        except msgspec.ValidationError:  # another version wrote it
            log.warning("the health of %s cannot be read, and begins anew", each.endpoint)
            continue
        book.load({each.endpoint: health}, (now - each.saved_at).total_seconds())


class HealthKeeper:
    """Saves a server's book of health. A ledger that fails is a warning: requests go on."""

    def __init__(self, saved: EndpointHealths, hours: EndpointHours, book: HealthBook) -> None:
        self._saved, self._hours, self._book = saved, hours, book
        self._attempts = 0  # that were counted when the book was saved last
        self._collected_at = utc_now()
        self._unwritten: dict[HourOfEndpoint, AttemptCount] = {}

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Load the book; save it each minute inside the context, and at its end."""
        await self.load()
        saving = asyncio.create_task(self._keep_saving())
        try:
            yield
        finally:
            saving.cancel()
            await asyncio.gather(saving, return_exceptions=True)
            await self.save()

    async def load(self) -> None:
        """Take over what was saved last; the time since then makes it older."""
        try:
            found = await self._saved.load()
        except LedgerError as error:
            log.warning("the health of endpoints is not known: %s", error.sentence)
            return
        take_over(self._book, found)

    async def save(self) -> None:
        """Store the book, where anything was counted since it was stored last."""
        await self._add_to_hours()
        attempts = self._book.attempts
        if attempts == self._attempts:
            return
        try:
            await self._saved.save(msgspec.to_builtins(self._book.dump(), str_keys=True))
        except LedgerError as error:
            log.warning("the health of endpoints is not saved: %s", error.sentence)
            return
        self._attempts = attempts

    async def _add_to_hours(self) -> None:
        """Add what was counted to the hour in which it was: each begins with a collection."""
        now, hour = utc_now(), start_of_hour(self._collected_at)
        self._collected_at = now
        for slug, count in self._book.collect().items():
            before = self._unwritten.get(HourOfEndpoint(slug, hour), AttemptCount())
            self._unwritten[HourOfEndpoint(slug, hour)] = before.plus(count)
        writing, self._unwritten = self._unwritten, {}
        try:
            await self._hours.add(writing)
        except LedgerError as error:
            log.warning("the hours of endpoints are not saved: %s", error.sentence)
            oldest = now - HOURS_KEPT
            self._unwritten = {of: count for of, count in writing.items() if of.hour > oldest}

    async def _keep_saving(self) -> None:
        while True:
            left_of_hour_s = HOUR_S - utc_now().timestamp() % HOUR_S
            await asyncio.sleep(min(SAVED_EVERY_S, left_of_hour_s))
            await self.save()
