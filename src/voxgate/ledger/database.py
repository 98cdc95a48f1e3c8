"""`Database`: the connections to one SQLite file, and the one place where its errors are caught."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.ext.asyncio import create_async_engine

from voxgate.errors import LedgerError
from voxgate.ledger.connection import begin_by_writing, set_pragmas, sqlite_url
from voxgate.ledger.errors import ledger_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from sqlalchemy import Connection

T = TypeVar("T")

READERS = 4

logger = logging.getLogger(__name__)


class Database:
    """Readers that need no transaction, and one writer: SQLite takes one at a time.

    Work is a function of a connection, and goes on when its caller is cancelled: what was begun is
    written, and no connection is left in the middle of a statement.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        address = sqlite_url("sqlite+aiosqlite", path)
        self._readers = create_async_engine(
            address,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,  # a call to the connection's thread less
            pool_size=READERS,
            max_overflow=0,
            hide_parameters=True,
        )
        self._writer = create_async_engine(
            address, pool_size=1, max_overflow=0, hide_parameters=True
        )
        set_pragmas(self._readers.sync_engine)
        begin_by_writing(self._writer.sync_engine)
        self._under_way: set[asyncio.Task[object]] = set()
        self._closed = False

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What one statement gives. Raises `LedgerError`, and what the work raises."""
        return await self._shielded(self._read(work))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What the work gives, in a transaction. Raises `LedgerError`, and what the work raises."""
        return await self._shielded(self._write(work))

    def write_later(self, work: Callable[[Connection], object]) -> None:
        """Write while nobody waits. A failure is logged."""

        async def written() -> None:
            try:
                await self._write(work)
            except LedgerError as error:
                logger.warning("%s", error.sentence)

        if not self._closed:
            self._started(written())

    async def aclose(self) -> None:
        """Wait for what is under way, and close every connection. Safe to call again."""
        self._closed = True
        if self._under_way:
            await asyncio.wait(self._under_way)
        with ledger_errors(self.path):
            await self._readers.dispose()
            await self._writer.dispose()

    async def _read(self, work: Callable[[Connection], T]) -> T:
        with ledger_errors(self.path):
            async with self._readers.connect() as connection:
                return await connection.run_sync(work)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        with ledger_errors(self.path):
            async with self._writer.begin() as connection:
                return await connection.run_sync(work)

    async def _shielded(self, work: Coroutine[None, None, T]) -> T:
        if self._closed:
            work.close()
            raise LedgerError(f"The ledger {self.path} is closed. Open it again.")
        return await asyncio.shield(self._started(work))

    def _started(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task
