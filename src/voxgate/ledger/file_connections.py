"""`FileConnections`: threads with connections to a SQLite file, its pragmas and its write lock.

An operation is one call to a thread, however many statements it has: handing each of them to a
thread by itself would take longer than SQLite needs for it. A row that is found by its key takes
less than the call to a thread: it is read on the event loop.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import NullPool, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

    from voxgate.ledger.address import Address

T = TypeVar("T")

READERS = 4
"""The most connections of a process that read a SQLite file at the same time."""

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another writer."""

QUEUE_S = 30.0
"""How long an operation may wait for those before it. Without a limit callers would wait for all
that the writers of another process held up."""

PARAMETERS = "named"
"""How statements name their values: each is converted once, however often it is in a statement. By
position, the moments at which budgets begin anew would be converted 21 times for each key."""

PRAGMAS = (
    "PRAGMA journal_mode = WAL",  # readers and the writer do not wait for each other
    "PRAGMA synchronous = NORMAL",  # a crash loses nothing; a power cut may lose the last writes
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # a transcript that is removed leaves no bytes in the file
)


class FileConnections:
    """One connection that writes, since SQLite allows one writer at a time, and some that read."""

    def __init__(self, address: Address) -> None:
        self._reader = _reading_engine(address, READERS)
        self._finder = _reading_engine(address, 1)
        self._writer = create_engine(
            address.url,
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
            paramstyle=PARAMETERS,
        )
        set_pragmas(self._reader)
        set_pragmas(self._finder, busy_timeout_ms=0)  # the event loop waits for no lock
        take_write_lock_at_begin(self._writer)
        self._reading = ThreadPoolExecutor(READERS, "ledger reader")
        self._writing = ThreadPoolExecutor(1, "ledger writer")

    async def find(self, operation: Callable[[Connection], T]) -> T:
        """Return the result of an operation of one statement, which finds a row by its key.

        Readers hardly ever meet a lock: at the end of a process that was the last one in the file,
        and while what a killed one left is read. A thread waits for it then.
        """
        try:
            with self._finder.connect() as connection:
                return operation(connection)
        except OperationalError:
            return await self.read(operation)

    async def read(self, operation: Callable[[Connection], T]) -> T:
        """Return the result of an operation of one statement."""

        def run() -> T:
            with self._reader.connect() as connection:
                return operation(connection)

        return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def write(self, operation: Callable[[Connection], T]) -> T:
        """Return the result of an operation that runs in a transaction."""
        until_s = time.monotonic() + QUEUE_S

        def run() -> T:
            if time.monotonic() > until_s:
                raise PoolTimeoutError(f"other writes took more than {QUEUE_S:g} s")
            with self._writer.begin() as connection:
                return operation(connection)

        return await asyncio.get_running_loop().run_in_executor(self._writing, run)

    async def aclose(self) -> None:
        """Close every connection, and end the threads. May be called again."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for threads in (self._reading, self._writing):
            threads.shutdown()
        for engine in (self._finder, self._reader, self._writer):
            engine.dispose()


def _reading_engine(address: Address, connections: int) -> Engine:
    return create_engine(
        address.url,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        paramstyle=PARAMETERS,
    )


def file_writer(address: Address) -> Engine:
    """Return an engine of a SQLite file that keeps no connection, for one long transaction."""
    engine = create_engine(address.url, poolclass=NullPool, hide_parameters=True)
    take_write_lock_at_begin(engine)
    return engine


def set_pragmas(engine: Engine, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
    """Apply `PRAGMAS` to every new connection of the engine, after the wait for other writers."""

    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions on its own
        cursor = connection.cursor()
        # First: the next pragma may need a lock.
        for pragma in (f"PRAGMA busy_timeout = {busy_timeout_ms}", *PRAGMAS):
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine, "connect", configure)


def take_write_lock_at_begin(engine: Engine) -> None:
    """Apply the pragmas, and make every transaction of the engine take the write lock at its start.

    SQLite refuses a transaction that reads first and writes later if another connection has written
    in between, and the busy timeout does not help there.
    """
    set_pragmas(engine)

    def begin_immediate(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "begin", begin_immediate)
