"""`voxgate db`: what each command says and exits with."""

import asyncio

import pytest

from tests.cli.command import CliRunner
from tests.ledger.other_process import sql
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.generation import Generation
from voxgate.ledger.ledger import Ledger


@pytest.fixture
def cli(empty_cli: CliRunner) -> CliRunner:
    return empty_cli


def test_from_nothing_to_a_backup(cli: CliRunner) -> None:
    missing = cli.run("db", "check")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "`voxgate db upgrade` creates an empty one" in missing.stderr
    created = cli.run("db", "upgrade")
    assert (created.returncode, created.stdout) == (0, "")
    assert "created the ledger" in created.stderr
    assert "already" in cli.run("db", "upgrade").stderr
    checked = cli.run("db", "check")
    assert checked.returncode == 0
    assert "SQLite 3." in checked.stdout
    assert checked.stdout.endswith("Nothing is wrong.\n")
    copied = cli.run("db", "backup", "copy")
    assert (copied.returncode, copied.stdout) == (0, "")
    assert "KiB" in copied.stderr
    assert sql(cli.folder / "copy", "SELECT count(*) FROM keys") == [(0,)]
    again = cli.run("db", "backup", "copy")
    assert again.returncode == 2
    assert "copy exists" in again.stderr


def test_a_damaged_ledger(cli: CliRunner) -> None:
    path = cli.folder / "home" / LEDGER_FILE

    async def stray() -> None:
        async with await Ledger.open(path) as ledger:
            key, _ = await ledger.keys.create("laptop")
            await ledger.generations.begin(Generation("gen-1", key.hash, "model"))

    asyncio.run(stray())
    sql(path, "DELETE FROM keys")
    checked = cli.run("db", "check")
    assert checked.returncode == 1
    assert "fault     row 1 of generations names a row of keys" in checked.stdout
    assert "the ledger is damaged. Stop its servers" in checked.stderr
    assert "Nothing is wrong" not in checked.stdout


def test_a_server_that_cannot_be_reached(cli: CliRunner) -> None:
    url = "postgresql://me:secret@127.0.0.1:1/books"
    for arguments in (("check",), ("upgrade",)):
        done = cli.run("db", *arguments, VOXGATE_DATABASE_URL=url)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Check that the server runs" in done.stderr
        assert "secret" not in done.stderr
    done = cli.run("db", "backup", "copy", VOXGATE_DATABASE_URL=url)
    assert done.returncode == 2
    assert "pg_dump --format=custom --file=copy postgresql://me@127.0.0.1:1/books" in done.stderr
