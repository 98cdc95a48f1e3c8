"""The steps that were taken lead to the schema that the code believes in."""

import fcntl
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from tests.ledger.others import sql
from voxgate.errors import LedgerError
from voxgate.ledger.connection import sqlite_url
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.migration import migrate
from voxgate.ledger.schema import metadata

STATEMENTS = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%' ORDER BY name"


def engine_at(path: Path) -> Engine:
    return create_engine(sqlite_url("sqlite", path))


async def test_alembic_finds_nothing_left_to_do(path: Path) -> None:
    await migrate(path)
    engine = engine_at(path)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_the_steps_make_the_very_statements_of_the_schema(path: Path) -> None:
    """Alembic does not compare the condition of an index, nor the names of constraints."""
    await migrate(path)
    fresh = path.with_name("fresh.sqlite3")
    engine = engine_at(fresh)
    metadata.create_all(engine)
    engine.dispose()
    # A column that was added later stands on the line of the one before it.
    taken, wanted = (
        [(name, " ".join(text.split()) if text else text) for name, text in sql(each, STATEMENTS)]
        for each in (path, fresh)
    )
    assert taken == wanted
    assert len(sql(path, STATEMENTS)) >= len(metadata.tables)


def test_the_schema_is_one_that_postgresql_takes() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    tables = metadata.sorted_tables
    indexes = (index for table in tables for index in table.indexes)
    statements: list[ExecutableDDLElement] = [*map(CreateTable, tables), *map(CreateIndex, indexes)]
    made = "\n".join(str(statement.compile(dialect=dialect)) for statement in statements)
    assert "TIMESTAMP WITH TIME ZONE" in made
    assert "cost_nanodollars BIGINT" in made
    assert "(name) WHERE revoked_at IS NULL" in made


async def test_it_is_done_once(path: Path) -> None:
    await migrate(path)
    before = sql(path, "SELECT * FROM sqlite_master")
    await migrate(path)
    assert sql(path, "SELECT * FROM sqlite_master") == before


async def test_what_older_versions_wrote_is_kept(path: Path) -> None:
    """A ledger of the first step, with a generation in it, is brought to the last."""
    path.parent.mkdir()
    config = Config()
    config.set_main_option("script_location", "voxgate.ledger:migrations")
    engine = engine_at(path)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    columns = "id, model, created_at, cancelled, attempts"
    sql(path, f"INSERT INTO generations ({columns}) VALUES ('gen-1', 'a/b', '2026-01-02', 0, '[]')")  # noqa: S608
    async with await Ledger.open(path) as ledger:
        found = await ledger.generations.find("gen-1", None)
    assert found is not None
    assert (found.model, found.revision, found.profile) == ("a/b", None, None)


async def test_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    await migrate(path)
    sql(path, "UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(LedgerError, match=r"newer version .* 0099, .* none after \d{4}"):
        await Ledger.open(path)
    assert sql(path, "SELECT version_num FROM alembic_version") == [("0099",)]


async def test_half_a_migration_is_none(path: Path) -> None:
    """The second step meets a table that is in its way: nothing of the first one stays."""
    path.parent.mkdir()
    sql(path, "CREATE TABLE generations (mine)")
    with pytest.raises(LedgerError, match="generations already exists"):
        await migrate(path)
    assert sql(path, "SELECT name FROM sqlite_master") == [("generations",)]
    sql(path, "DROP TABLE generations")
    await migrate(path)
    assert sql(path, "SELECT count(*) FROM keys") == [(0,)]


async def test_who_cannot_get_the_lock_says_so(path: Path) -> None:
    path.parent.mkdir()
    with path.with_name(f"{path.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # in the way of one that nobody shares
        with pytest.raises(LedgerError, match="Another process has been opening the ledger"):
            await migrate(path, patience_s=0.1)
        assert not path.exists()
    await migrate(path, patience_s=0.1)
    assert path.exists()
