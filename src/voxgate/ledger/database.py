"""`Database`: the connections to one SQLite file. Its errors become `LedgerError` here."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.ext.asyncio import create_async_engine

from voxgate.errors import LedgerError
from voxgate.ledger.connection import set_pragmas, sqlite_url, take_write_lock_at_begin
from voxgate.ledger.errors import ledger_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from sqlalchemy import Connection

T = TypeVar("T")

READERS = 4
"""The most connections that read at the same time."""

logger = logging.getLogger(__name__)


class Database:
    """Several readers without transactions, and one writer: SQLite allows one at a time.

    Callers pass an operation, a function of a connection. An operation that has begun continues
    when its caller is cancelled: the write is finished, and no connection is left in the middle of
    a statement.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        url = sqlite_url("sqlite+aiosqlite", path)
        self._readers = create_async_engine(
            url,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,  # saves a call to the connection's thread
            pool_size=READERS,
            max_overflow=0,
            hide_parameters=True,
        )
        self._writer = create_async_engine(url, pool_size=1, max_overflow=0, hide_parameters=True)
        set_pragmas(self._readers.sync_engine)
        take_write_lock_at_begin(self._writer.sync_engine)
        self._running: set[asyncio.Task[object]] = set()
        self._closed = False

    async def read(self, operation: Callable[[Connection], T]) -> T:
        """Return the result of an operation of one statement.

        Raises `LedgerError`, and whatever the operation raises.
        """
        return await self._run_shielded(self._read(operation))

    async def write(self, operation: Callable[[Connection], T]) -> T:
        """Return the result of an operation that runs in a transaction.

        Raises `LedgerError`, and whatever the operation raises.
        """
        return await self._run_shielded(self._write(operation))

    def write_later(self, operation: Callable[[Connection], object]) -> None:
        """Write in the background. A failure is logged as a warning."""

        async def write_or_log() -> None:
            try:
                await self._write(operation)
            except LedgerError as error:
                logger.warning("%s", error.sentence)

        if not self._closed:
            self._start(write_or_log())

    async def aclose(self) -> None:
        """Wait for running operations and close every connection. May be called again."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running)
        with ledger_errors(self.path):
            await self._readers.dispose()
            await self._writer.dispose()

    async def _read(self, operation: Callable[[Connection], T]) -> T:
        with ledger_errors(self.path):
            async with self._readers.connect() as connection:
                return await connection.run_sync(operation)

    async def _write(self, operation: Callable[[Connection], T]) -> T:
        with ledger_errors(self.path):
            async with self._writer.begin() as connection:
                return await connection.run_sync(operation)

    async def _run_shielded(self, coroutine: Coroutine[None, None, T]) -> T:
        if self._closed:
            coroutine.close()
            raise LedgerError(f"The ledger {self.path} is closed. Open it again.")
        return await asyncio.shield(self._start(coroutine))

    def _start(self, coroutine: Coroutine[None, None, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task
