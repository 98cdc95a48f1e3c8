"""Settings of SQLite connections: write-ahead log, busy timeout, foreign keys, write locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, event

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another writer."""

PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",  # first: the next pragma may need a lock
    "PRAGMA journal_mode = WAL",  # readers and the writer do not wait for each other
    "PRAGMA synchronous = NORMAL",  # a crash loses nothing; a power cut may lose the last writes
    "PRAGMA foreign_keys = ON",
)


def sqlite_url(driver: str, path: Path) -> URL:
    """Return the URL of the file at `path`, which may contain any characters."""
    return URL.create(driver, database=str(path.absolute()))


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
