"""`Database`: the connections to one database. Its errors become `LedgerError` here."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from voxgate.errors import LedgerError
from voxgate.ledger.errors import ledger_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from sqlalchemy import Connection

    from voxgate.ledger.address import Address
    from voxgate.ledger.file_connections import FileConnections
    from voxgate.ledger.server_connections import ServerConnections

T = TypeVar("T")

log = logging.getLogger(__name__)


class Database:
    """The connections of one process to a SQLite file or a PostgreSQL server.

    Callers pass an operation, a function of a connection. A caller who is cancelled waits for its
    operation: the write is finished before anything else is written for it, and no connection is
    left in the middle of a statement.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.failures = 0  # reads and writes that raised `LedgerError`
        self._connections = _connections(address)
        self._running: set[asyncio.Task[object]] = set()
        self._closed = False

    async def read(self, operation: Callable[[Connection], T]) -> T:
        """Return the result of an operation of one statement.

        Raises `LedgerError`, and whatever the operation raises.
        """
        return await completed(self.start(self._read(self._connections.read, operation)))

    async def find(self, operation: Callable[[Connection], T]) -> T:
        """Do what `read` does, for an operation that finds a row by its key: it is a short one."""
        return await completed(self.start(self._read(self._connections.find, operation)))

    async def write(self, operation: Callable[[Connection], T]) -> T:
        """Return the result of an operation that runs in a transaction.

        Raises `LedgerError`, and whatever the operation raises.
        """
        return await completed(self.start(self.transaction(operation)))

    def write_later(self, operation: Callable[[Connection], object]) -> None:
        """Write in the background. A failure is logged as a warning."""

        async def write_or_log() -> None:
            try:
                await self.transaction(operation)
            except LedgerError as error:
                log.warning("%s", error.sentence)

        if not self._closed:
            self.start(write_or_log())

    def start(self, coroutine: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Start what `aclose` waits for. Raises `LedgerError` where the ledger is closed."""
        if self._closed:
            coroutine.close()
            raise LedgerError(f"The ledger {self.address} is closed. Open it again.")
        task = asyncio.create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def transaction(self, operation: Callable[[Connection], T]) -> T:
        """Do what `write` does, inside of what was started: a caller must not be cancelled."""
        with self._errors():
            return await self._connections.write(operation)

    async def aclose(self) -> None:
        """Wait for running operations and close every connection. May be called again."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running)
        with ledger_errors(self.address):
            await self._connections.aclose()

    async def _read(
        self,
        way: Callable[[Callable[[Connection], T]], Coroutine[None, None, T]],
        operation: Callable[[Connection], T],
    ) -> T:
        with self._errors():
            return await way(operation)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise `LedgerError` for errors of the database, and count them."""
        try:
            with ledger_errors(self.address):
                yield
        except LedgerError:
            self.failures += 1
            raise


async def completed(task: asyncio.Task[T]) -> T:
    """Return the result of a task. A caller who is cancelled waits for it all the same."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:  # also a second time
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # the caller is gone: nobody else asks for it
    raise cancelled


def _connections(address: Address) -> FileConnections | ServerConnections:
    """Return the connections, whose libraries the other database does without."""
    if address.path is not None:
        from voxgate.ledger.file_connections import FileConnections  # noqa: PLC0415

        return FileConnections(address)
    from voxgate.ledger.server_connections import ServerConnections  # noqa: PLC0415

    return ServerConnections(address)
