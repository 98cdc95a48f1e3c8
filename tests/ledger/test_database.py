"""How work meets the file: who reads waits for nobody, who writes has it from the start."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from voxgate.ledger.database import Database
from voxgate.ledger.migration import migrate
from voxgate.ledger.schema import keys_table


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    await migrate(path)
    opened = Database(path)
    yield opened
    await opened.aclose()


def count(connection: Connection) -> int | None:
    return connection.scalar(select(func.count()).select_from(keys_table))


async def test_who_may_write_keeps_others_from_writing(database: Database, path: Path) -> None:
    """From the start: were it from the first change on, another's change would come before it."""
    with closing(sqlite3.connect(path, timeout=0)) as other:

        def work(connection: Connection) -> None:
            count(connection)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")

        await database.write(work)
        other.execute("BEGIN IMMEDIATE")  # and lets them afterwards


async def test_who_reads_waits_for_no_writer(database: Database, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await database.read(count) == 0
        assert other.in_transaction


async def test_work_that_fails_changes_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO keys VALUES ('h', 'n', 'l', 't', null, null)")
        assert count(connection) == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(work)
    assert await database.read(count) == 0
    await database.write(count)
