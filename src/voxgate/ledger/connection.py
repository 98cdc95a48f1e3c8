"""How SQLite is connected to: the write-ahead log, patience with other writers, foreign keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, event

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine

BUSY_MS = 10_000
"""How long a writer waits for another one."""

PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_MS}",  # first: the next one may meet another process
    "PRAGMA journal_mode = WAL",  # readers and a writer do not wait for each other
    "PRAGMA synchronous = NORMAL",  # nothing is lost by a crash; by a power cut, the last moments
    "PRAGMA foreign_keys = ON",
)


def sqlite_url(driver: str, path: Path) -> URL:
    """Any path, whatever characters it has."""
    return URL.create(driver, database=str(path.absolute()))


def set_pragmas(engine: Engine) -> None:
    """Give every connection its settings when it is made."""

    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins no transactions of its own
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine, "connect", connected)


def begin_by_writing(engine: Engine) -> None:
    """Prepare for writers alone.

    Who begins by reading, and writes later, is refused when another has written in between: waiting
    could not help it. So every transaction asks for the right to write when it begins.
    """
    set_pragmas(engine)

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "begin", begun)
