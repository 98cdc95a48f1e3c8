"""`ServerConnections`: connections to a PostgreSQL server, and its time limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from voxgate.ledger.address import Address

T = TypeVar("T")

MOST_CONNECTIONS = 10
"""The most connections of a process to a PostgreSQL server."""

LOCK_TIMEOUT_MS = 10_000
"""How long a statement waits for another transaction, and that transaction for its next one."""

CONNECT_S, STATEMENT_S = 10.0, 60.0
"""How long a PostgreSQL server may take to accept a connection, and for one statement."""


class ServerConnections:
    """A pool of connections, each for any operation.

    Connections of a server that was restarted fail at their first statement. All of them are made
    anew then, and the operation is done once more. To ask each beforehand whether it lives would be
    three round trips to the server, where finding a key is one.
    """

    def __init__(self, address: Address) -> None:
        self._writer = create_async_engine(
            address.url,
            pool_size=MOST_CONNECTIONS,
            max_overflow=0,
            hide_parameters=True,
            connect_args=_limits(),
        )
        self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")

    async def find(self, operation: Callable[[Connection], T]) -> T:
        """Return what `read` returns."""
        return await self.read(operation)

    async def read(self, operation: Callable[[Connection], T]) -> T:
        """Return the result of an operation of one statement."""
        try:
            return await self._read(operation)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return await self._read(operation)

    async def write(self, operation: Callable[[Connection], T]) -> T:
        """Return the result of an operation that runs in a transaction.

        Where the connection is lost at the end, nobody knows whether it was committed: it fails.
        """
        is_done = False

        def note_end(connection: Connection) -> T:
            nonlocal is_done
            result = operation(connection)
            is_done = True
            return result

        try:
            return await self._write(note_end)
        except DBAPIError as error:
            if is_done or not error.connection_invalidated:
                raise
        return await self._write(operation)

    async def aclose(self) -> None:
        """Close every connection. May be called again."""
        await self._writer.dispose()

    async def _read(self, operation: Callable[[Connection], T]) -> T:
        async with self._reader.connect() as connection:
            return await connection.run_sync(operation)

    async def _write(self, operation: Callable[[Connection], T]) -> T:
        async with self._writer.begin() as connection:
            return await connection.run_sync(operation)


def server_writer(address: Address) -> AsyncEngine:
    """Return an engine of a server that keeps no connection, for one long transaction."""
    return create_async_engine(
        address.url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"timeout": CONNECT_S},
    )


def _limits() -> dict[str, Any]:
    return {
        "timeout": CONNECT_S,
        "command_timeout": STATEMENT_S,
        "server_settings": {
            "application_name": "voxgate",
            "lock_timeout": str(LOCK_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": str(LOCK_TIMEOUT_MS),
        },
    }
