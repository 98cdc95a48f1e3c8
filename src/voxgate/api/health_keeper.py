"""`HealthKeeper`: the health of endpoints outlives the server's process, in the ledger."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from voxgate.errors import LedgerError
from voxgate.ledger.columns import utc_now
from voxgate.routing.health import SavedHealth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from voxgate.ledger.endpoint_health import EndpointHealths, SavedEndpoint
    from voxgate.routing.health import HealthBook

SAVED_EVERY_S = 60.0

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

    def __init__(self, saved: EndpointHealths, book: HealthBook) -> None:
        self._saved, self._book = saved, book
        self._attempts = 0  # that were counted when the book was saved last

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
        attempts = self._book.attempts
        if attempts == self._attempts:
            return
        try:
            await self._saved.save(msgspec.to_builtins(self._book.dump(), str_keys=True))
        except LedgerError as error:
            log.warning("the health of endpoints is not saved: %s", error.sentence)
            return
        self._attempts = attempts

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(SAVED_EVERY_S)
            await self.save()
