"""What is said of a ledger that is whole, damaged, older, newer or not there."""

import sqlite3
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from tests.ledger.other_process import sql
from tests.ledger.test_migration import upgrade_to
from voxgate.errors import LedgerError
from voxgate.ledger.address import Address
from voxgate.ledger.database import Database
from voxgate.ledger.generation import Generation
from voxgate.ledger.inspection import inspect_ledger
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.migration import migrate, newest_schema


async def test_one_that_is_whole_while_a_server_has_it_open(
    ledger: Ledger, address: Address
) -> None:
    await ledger.generations.begin(Generation("gen-1", None, "model"))
    found = await inspect_ledger(address)
    assert (found.schema, found.faults) == (newest_schema(), ())
    assert found.database.split()[0] == ("SQLite" if address.path else "PostgreSQL")


async def test_one_that_is_not_there_is_not_created(path: Path) -> None:
    path.parent.mkdir()
    with pytest.raises(LedgerError, match=r"no ledger at .*`voxgate db upgrade` creates"):
        await inspect_ledger(Address.of_file(path))
    assert list(path.parent.iterdir()) == []


async def test_one_of_an_older_version_is_not_changed(path: Path) -> None:
    path.parent.mkdir()
    address = Address.of_file(path)
    async with aclosing(Database(address)) as database:
        await database.write(lambda connection: upgrade_to(connection, "0004"))
    assert (await inspect_ledger(address)).schema == "0004"
    assert sql(path, "SELECT version_num FROM alembic_version") == [("0004",)]
    done = await migrate(address)
    assert (done.before, done.after) == ("0004", newest_schema())
    again = await migrate(address)
    assert (again.before, again.after) == (newest_schema(), newest_schema())


async def test_tables_are_created_once(path: Path) -> None:
    assert (await migrate(Address.of_file(path))).before is None


async def test_one_of_a_newer_version(sqlite_ledger: Ledger, path: Path) -> None:
    sql(path, "UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(LedgerError, match=r"newer version .* 0099"):
        await inspect_ledger(Address.of_file(path))


async def test_a_damaged_index(sqlite_ledger: Ledger, path: Path) -> None:
    await sqlite_ledger.generations.begin(Generation("gen-1", None, "model"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'generations_created_at_index'")
    found = await inspect_ledger(Address.of_file(path))
    assert any("never used" in fault for fault in found.faults), found.faults


async def test_a_row_without_the_row_that_it_names(sqlite_ledger: Ledger, path: Path) -> None:
    key, _ = await sqlite_ledger.keys.create("laptop")
    await sqlite_ledger.generations.begin(Generation("gen-1", key.hash, "model"))
    sql(path, "DELETE FROM keys")  # sqlite3's own default checks no foreign keys
    found = await inspect_ledger(Address.of_file(path))
    assert found.faults == ("row 1 of generations names a row of keys that is not there",)


async def test_a_file_that_is_not_a_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"never a database" * 500)
    with pytest.raises(LedgerError, match=r"not a database.*Restore a backup of it"):
        await inspect_ledger(Address.of_file(path))
