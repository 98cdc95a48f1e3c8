"""Create a database's tables, or migrate them to this version's schema.

One process at a time does so: it locks a file beside a SQLite file, or takes a lock of the server.
A migration is one transaction, so a process that is killed in the middle leaves the database as it
was. Alembic is imported where there is something to migrate: that takes longer than most commands.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sqlalchemy import inspect, text

from voxgate.errors import LedgerError
from voxgate.ledger.errors import ledger_errors
from voxgate.ledger.file_connections import file_writer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from voxgate.ledger.address import Address

VERSIONS = Path(__file__).parent / "migrations" / "versions"
"""The migrations, each in a file whose name begins with the number of its schema."""

VERSION_TABLE = "alembic_version"

LOCK_TIMEOUT_S = 60.0  # for another process; migrating a large ledger takes minutes
LOCK_POLL_S = 0.05
SERVER_LOCK = 0x766F7867  # the number of the lock in a PostgreSQL server: "voxg"

_alembic_lock = threading.Lock()  # Alembic keeps the current migration in a module's globals


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What a migration did: the schema before, None where there were no tables, and after."""

    before: str | None
    after: str


async def migrate(address: Address, timeout_s: float = LOCK_TIMEOUT_S) -> Upgrade:
    """Create the folder (0700) and the file (0600) where missing, and migrate to the newest schema.

    Raises `LedgerError` where permissions or disk space are missing, where the server cannot be
    reached, where the file is not a database or was written by a newer version, and where another
    process holds the lock for longer than `timeout_s`.
    """
    with ledger_errors(address):
        if address.path is None:
            return await asyncio.to_thread(_migrate, address, timeout_s)
        address.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = await _lock(address.path, timeout_s)
        return await asyncio.to_thread(_migrate_file, address, address.path, lock)


def newest_schema() -> str:
    """Return the number of the newest schema that this version knows."""
    return max(_known_schemas())


def schema_of(connection: Connection, address: Address) -> str | None:
    """Return the number of a database's schema; None where it has no tables.

    Raises `LedgerError` for one that a newer version wrote.
    """
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    current = connection.scalars(text(f"SELECT version_num FROM {VERSION_TABLE}")).all()  # noqa: S608
    known = _known_schemas()
    if unknown := set(current) - known:
        raise LedgerError(
            f"The ledger {address} was written by a newer version of Voxgate: its schema is "
            f"{', '.join(unknown)}, and the newest that this version knows is {max(known)}. "
            f"Install the newer version, or name another place in VOXGATE_HOME or "
            f"VOXGATE_DATABASE_URL."
        )
    return current[0] if current else None


async def _lock(path: Path, timeout_s: float) -> BinaryIO:
    """Return the locked file. It polls: a thread that waits in the kernel cannot be cancelled."""
    lock_path = path.with_name(f"{path.name}.lock")
    file = os.fdopen(os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    deadline = time.monotonic() + timeout_s
    try:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            if time.monotonic() > deadline:
                raise LedgerError(
                    f"Another process has been opening the ledger {path} for more than "
                    f"{timeout_s:g} s. Try again when it has finished, or end it."
                )
            await asyncio.sleep(LOCK_POLL_S)
    except BaseException:
        file.close()
        raise


def _migrate_file(address: Address, path: Path, lock: BinaryIO) -> Upgrade:
    with lock:
        with suppress(FileExistsError):  # before SQLite creates it with the umask's permissions
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if not os.access(path, os.W_OK):  # SQLite would open it and fail at the first write
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return _migrate(address, LOCK_TIMEOUT_S)


def _migrate(address: Address, timeout_s: float) -> Upgrade:
    """Migrate in this thread: a server in an event loop of its own, which Alembic blocks."""
    with _alembic_lock:
        if address.path is None:
            return asyncio.run(_upgrade_server(address, timeout_s))
        with file_writer(address).begin() as connection:
            return _upgrade(connection, address)


async def _upgrade_server(address: Address, timeout_s: float) -> Upgrade:
    from voxgate.ledger.server_connections import server_writer  # noqa: PLC0415 (see `Database`)

    engine = server_writer(address)
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"SET LOCAL lock_timeout = {timeout_s * 1e3:.0f}")
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SERVER_LOCK})")
            return await connection.run_sync(_upgrade, address)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, address: Address) -> Upgrade:
    before, newest = schema_of(connection, address), newest_schema()
    if before != newest:
        _migrate_tables(connection)
    return Upgrade(before, newest)


def _migrate_tables(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 (see the module's docstring)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "voxgate.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _known_schemas() -> set[str]:
    return {file.name.partition("_")[0] for file in VERSIONS.glob("[0-9]*.py")}
