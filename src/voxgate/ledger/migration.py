"""Bring a database file to this version's schema, or make it.

One process at a time does so, behind a lock file beside the database, and in one transaction: a
process that is killed in the middle leaves the file as it was.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from voxgate.errors import LedgerError
from voxgate.ledger.connection import begin_by_writing, sqlite_url
from voxgate.ledger.errors import ledger_errors

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

PATIENCE_S = 60.0  # how long another process may take; a migration of a large ledger is minutes
POLL_S = 0.05

_one_at_a_time = threading.Lock()  # Alembic keeps what it works on in a module's globals


async def migrate(path: Path, patience_s: float = PATIENCE_S) -> None:
    """Make the folder (0700) and the file (0600) where they are missing, and bring it to the head.

    Raises `LedgerError`: no rights, no space, no database, one of a newer version, or another
    process that has been at it for longer than `patience_s`.
    """
    with ledger_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = await _lock(path, patience_s)
        await asyncio.to_thread(_migrate, path, lock)


async def _lock(path: Path, patience_s: float) -> BinaryIO:
    """Asked for again and again: a thread that waits in the kernel could not be cancelled."""
    name = path.with_name(f"{path.name}.lock")
    file = os.fdopen(os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    end = time.monotonic() + patience_s
    try:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            if time.monotonic() > end:
                raise LedgerError(
                    f"Another process has been opening the ledger {path} for more than "
                    f"{patience_s:g} s. Try again when it is done, or end it."
                )
            await asyncio.sleep(POLL_S)
    except BaseException:
        file.close()
        raise


def _migrate(path: Path, lock: BinaryIO) -> None:
    with lock, _one_at_a_time:
        with suppress(FileExistsError):  # before SQLite makes it with everybody's rights
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if not os.access(path, os.W_OK):  # SQLite would open it, and fail at the first write
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        engine = create_engine(sqlite_url("sqlite", path), poolclass=NullPool, hide_parameters=True)
        begin_by_writing(engine)
        with engine.begin() as connection:
            _upgrade(connection, path)


def _upgrade(connection: Connection, path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", "voxgate.ledger:migrations")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = MigrationContext.configure(connection).get_current_heads()
    if newer := set(found) - known:
        raise LedgerError(
            f"The ledger {path} was written by a newer version of Voxgate: its schema is "
            f"{', '.join(newer)}, and this version knows none after {max(known)}. Install the "
            f"newer version, or name another folder in VOXGATE_HOME."
        )
    command.upgrade(config, "head")
