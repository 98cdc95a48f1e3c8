"""Readers wait for no writer; a writer holds the write lock from the start."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from threading import current_thread

import pytest
from sqlalchemy import Connection, func, select

from voxgate.ledger.address import Address
from voxgate.ledger.database import Database
from voxgate.ledger.migration import migrate
from voxgate.ledger.schema import keys_table


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    await migrate(Address.of_file(path))
    database = Database(Address.of_file(path))
    yield database
    await database.aclose()


def count_keys(connection: Connection) -> int | None:
    return connection.scalar(select(func.count()).select_from(keys_table))


async def test_a_writer_keeps_other_writers_out(database: Database, path: Path) -> None:
    """From the start of the transaction, so that no other change can come before its own."""
    with closing(sqlite3.connect(path, timeout=0, check_same_thread=False)) as other:

        def operation(connection: Connection) -> None:
            count_keys(connection)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")

        await database.write(operation)
        other.execute("BEGIN IMMEDIATE")  # possible again after the transaction


async def test_a_reader_does_not_wait_for_a_writer(database: Database, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await database.read(count_keys) == 0
        assert other.in_transaction


async def test_a_row_is_found_without_a_thread(database: Database) -> None:
    assert await database.find(lambda _: current_thread()) is current_thread()
    assert await database.read(lambda _: current_thread()) is not current_thread()


async def test_the_event_loop_waits_for_no_lock(database: Database, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = DELETE")  # in which readers wait for a writer
        other.execute("BEGIN EXCLUSIVE")
        finding = asyncio.create_task(database.find(count_keys))
        for _ in range(10):
            await asyncio.sleep(0)  # as many turns of the event loop, which nothing holds up
        assert not finding.done()
        other.rollback()
        assert await finding == 0


async def test_an_operation_that_fails_changes_nothing(database: Database) -> None:
    def operation(connection: Connection) -> None:
        connection.exec_driver_sql(
            "INSERT INTO keys (hash, name, label, created_at) VALUES ('h', 'n', 'l', 't')"
        )
        assert count_keys(connection) == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(operation)
    assert await database.read(count_keys) == 0
    await database.write(count_keys)
