"""Engines of both databases: pools, SQLite's pragmas and write locks, PostgreSQL's time limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import NullPool, create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from voxgate.ledger.address import Address

SQLITE_READERS = 4
"""The most connections of a process that read a SQLite file at the same time."""

SERVER_CONNECTIONS = 10
"""The most connections of a process to a PostgreSQL server."""

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another writer."""

CONNECT_S, STATEMENT_S = 10.0, 60.0
"""How long a PostgreSQL server may take to accept a connection, and for one statement."""

PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",  # first: the next pragma may need a lock
    "PRAGMA journal_mode = WAL",  # readers and the writer do not wait for each other
    "PRAGMA synchronous = NORMAL",  # a crash loses nothing; a power cut may lose the last writes
    "PRAGMA foreign_keys = ON",
)


def reader_and_writer(address: Address) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engine for single statements without a transaction, and that for transactions.

    SQLite allows one writer at a time, so its second engine has one connection.
    """
    if address.path is None:
        writer = create_async_engine(
            address.url,
            pool_size=SERVER_CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=True,  # the server may have been restarted
            hide_parameters=True,
            connect_args=_server_limits(),
        )
        return writer.execution_options(isolation_level="AUTOCOMMIT"), writer
    reader = create_async_engine(
        address.url,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,  # saves a call to the connection's thread
        pool_size=SQLITE_READERS,
        max_overflow=0,
        hide_parameters=True,
    )
    writer = create_async_engine(address.url, pool_size=1, max_overflow=0, hide_parameters=True)
    set_pragmas(reader.sync_engine)
    take_write_lock_at_begin(writer.sync_engine)
    return reader, writer


def server_writer(address: Address) -> AsyncEngine:
    """Return an engine of a server that keeps no connection, for one long transaction."""
    return create_async_engine(
        address.url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"timeout": CONNECT_S},
    )


def file_writer(address: Address) -> Engine:
    """Return an engine of a SQLite file that keeps no connection, for one long transaction.

    It has no thread of its own, which aiosqlite has: one whose connection fails would outlive the
    event loop that asked for it.
    """
    url = address.url.set(drivername="sqlite")
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    take_write_lock_at_begin(engine)
    return engine


def set_pragmas(engine: Engine) -> None:
    """Apply `PRAGMAS` to every new connection of the engine."""

    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions on its own
        cursor = connection.cursor()
        for pragma in PRAGMAS:
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


def _server_limits() -> dict[str, Any]:
    return {
        "timeout": CONNECT_S,
        "command_timeout": STATEMENT_S,
        "server_settings": {
            "application_name": "voxgate",
            "lock_timeout": str(BUSY_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": str(BUSY_TIMEOUT_MS),
        },
    }
