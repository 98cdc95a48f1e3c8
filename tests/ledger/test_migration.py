"""The migrations lead to the schema that the code declares."""

import fcntl
from contextlib import aclosing
from datetime import date, datetime
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, MetaData, Table, create_engine, delete, insert

from tests.ledger.other_process import sql
from voxgate.errors import LedgerError
from voxgate.ledger.activity_query import ActivityQuery
from voxgate.ledger.address import Address
from voxgate.ledger.columns import utc_now
from voxgate.ledger.database import Database
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.migration import VERSIONS, migrate, newest_schema
from voxgate.ledger.schema import metadata

STATEMENTS = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%' ORDER BY name"


def create_sqlite_engine(path: Path) -> Engine:
    return create_engine(URL.create("sqlite", database=str(path)))


async def test_alembic_finds_no_difference(address: Address) -> None:
    await migrate(address)

    def compare(connection: Connection) -> None:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []

    async with aclosing(Database(address)) as database:
        await database.read(compare)


async def test_the_migrations_give_the_same_statements_as_the_schema(path: Path) -> None:
    """Alembic compares neither the conditions of indexes nor the names of constraints."""
    await migrate(Address.of_file(path))
    fresh = path.with_name("fresh.sqlite3")
    engine = create_sqlite_engine(fresh)
    metadata.create_all(engine)
    engine.dispose()
    # SQLite puts an added column on the line of the one before it: ignore white space.
    migrated, declared = (
        [(name, " ".join(text.split()) if text else text) for name, text in sql(file, STATEMENTS)]
        for file in (path, fresh)
    )
    assert migrated == declared
    assert len(sql(path, STATEMENTS)) >= len(metadata.tables)


async def test_a_second_migration_changes_nothing(path: Path) -> None:
    await migrate(Address.of_file(path))
    before = sql(path, "SELECT * FROM sqlite_master")
    await migrate(Address.of_file(path))
    assert sql(path, "SELECT * FROM sqlite_master") == before


def test_the_name_of_each_migration_begins_with_its_schema() -> None:
    """By these names the newest schema is known without Alembic."""
    scripts = list(ScriptDirectory(VERSIONS.parent).walk_revisions())
    assert len(scripts) == len(list(VERSIONS.glob("*.py")))
    assert all(Path(each.path).name.startswith(f"{each.revision}_") for each in scripts)
    assert scripts[0].revision == newest_schema()


async def test_a_ledger_of_an_older_version_is_kept(path: Path) -> None:
    """A ledger with a generation is migrated from the first revision to the last."""
    path.parent.mkdir()
    engine = create_sqlite_engine(path)
    with engine.begin() as connection:
        upgrade_to(connection, "0001")
    engine.dispose()
    columns = "id, model, created_at, cancelled, attempts"
    sql(path, f"INSERT INTO generations ({columns}) VALUES ('gen-1', 'a/b', '2026-01-02', 0, '[]')")  # noqa: S608
    async with await Ledger.open(path) as ledger:
        found = await ledger.generations.find("gen-1", None)
    assert found is not None
    assert (found.model, found.revision, found.profile) == ("a/b", None, None)
    assert found.streamed is False


async def test_generations_from_before_the_sums_are_summed(empty_address: Address) -> None:
    async with aclosing(Database(empty_address)) as opened:
        await opened.write(lambda connection: upgrade_to(connection, "0004"))
        for number, (ended, status, title) in enumerate(
            (
                ("2028-02-28 23:59:59.900000", 200, "Notes"),
                ("2028-02-29 00:00:00.000000", 200, "Notes"),
                ("2028-02-29 23:59:59.999999", 503, ""),
                (None, None, None),  # its server was killed
            )
        ):
            row = f"gen-{number}", ended, status, title
            await opened.write(partial(insert_generation, row=row))
    async with await Ledger.open(empty_address) as ledger:
        days = await ledger.activity.find(
            ActivityQuery(date(2028, 1, 1), date(2028, 12, 31), ("day", "app"))
        )
    assert [(row.group, row.requests, row.failures, row.audio_samples) for row in days] == [
        ((date(2028, 2, 28), "Notes"), 1, 0, 40_000),
        ((date(2028, 2, 29), "Notes"), 1, 0, 40_000),
        ((date(2028, 2, 29), "https://a.example/"), 1, 1, 40_000),
    ]
    assert {row.nanodollars for row in days} == {7}


async def test_a_server_of_an_older_version_goes_on(empty_address: Address) -> None:
    """It writes by the tables that it knows, and what it deletes leaves no transcript behind."""
    known = MetaData()

    def begin_as_before(connection: Connection) -> None:
        upgrade_to(connection, "0006")
        known.reflect(connection)

    def write_as_before(connection: Connection) -> None:
        keys, generations = known.tables["keys"], known.tables["generations"]
        row = {"hash": "c0ffee", "name": "older", "label": "sk-...", "created_at": utc_now()}
        connection.execute(insert(keys).values(row))
        insert_generation(connection, ("gen-old", None, None, None))
        connection.execute(delete(generations).where(generations.c.id == "gen-new"))

    async with aclosing(Database(empty_address)) as older:
        await older.write(begin_as_before)
        async with await Ledger.open(empty_address) as ledger:
            key, _ = await ledger.keys.create("keeper", keep_transcripts_days=1)
            await ledger.generations.begin(Generation("gen-new", key.hash, "a/b"))
            await ledger.generations.finish("gen-new", Outcome(200, 1, transcript=b"sealed"))
            await older.write(write_as_before)
            assert [
                (each.name, each.keep_transcripts_days) for each in await ledger.keys.all()
            ] == [("keeper", 1), ("older", None)]
            found = await ledger.generations.find("gen-old", None)
            assert found
            assert found.delivered_tokens == 0
            assert await ledger.transcripts.find("gen-new", key.hash) is None


def upgrade_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", "voxgate.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def insert_generation(
    connection: Connection, row: tuple[str, str | None, int | None, str | None]
) -> None:
    name, ended, status, title = row
    generations = Table("generations", MetaData(), autoload_with=connection)
    times = [
        datetime.fromisoformat(f"{text}+00:00") for text in ("2028-02-28 00:00:00", ended) if text
    ]
    connection.execute(
        insert(generations).values(
            id=name,
            model="a/b",
            created_at=times[0],
            finished_at=times[1] if ended else None,
            status=status,
            audio_seconds=2.5,
            cost_nanodollars=7,
            cancelled=False,
            attempts=[],
            app_title=title,
            http_referer="https://a.example/",
        )
    )


async def test_a_newer_version_is_refused_and_not_changed(path: Path) -> None:
    await migrate(Address.of_file(path))
    sql(path, "UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(LedgerError, match=r"newer version .* 0099, .* knows is \d{4}"):
        await Ledger.open(path)
    assert sql(path, "SELECT version_num FROM alembic_version") == [("0099",)]


async def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    """The second table already exists: the first one is not created either."""
    path.parent.mkdir()
    sql(path, "CREATE TABLE generations (other)")
    with pytest.raises(LedgerError, match="generations already exists"):
        await migrate(Address.of_file(path))
    assert sql(path, "SELECT name FROM sqlite_master") == [("generations",)]
    sql(path, "DROP TABLE generations")
    await migrate(Address.of_file(path))
    assert sql(path, "SELECT count(*) FROM keys") == [(0,)]


async def test_a_lock_that_stays_taken(path: Path) -> None:
    path.parent.mkdir()
    with path.with_name(f"{path.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # keeps an exclusive lock out
        with pytest.raises(LedgerError, match="Another process has been opening the ledger"):
            await migrate(Address.of_file(path), timeout_s=0.1)
        assert not path.exists()
    await migrate(Address.of_file(path), timeout_s=0.1)
    assert path.exists()
