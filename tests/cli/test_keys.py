import asyncio
import json
import os
import pty
import re
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import CliRunner, drop_permission_override
from tests.cli.test_disks import on_small_disk
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.key import Key
from voxgate.ledger.ledger import Ledger

SECRET = re.compile(r"sk-vg-[A-Za-z0-9_-]{43}\n")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def cli(empty_cli: CliRunner) -> CliRunner:
    """Without any model: these tests look at everything in the home."""
    return empty_cli


def made(cli: CliRunner, name: str) -> str:
    """A key, made without the command."""

    async def create() -> str:
        async with await Ledger.open(cli.folder / "home" / LEDGER_FILE) as ledger:
            return (await ledger.keys.create(name))[1]

    return asyncio.run(create())


def known(cli: CliRunner) -> list[Key]:
    """The keys, listed without the command."""

    async def every() -> list[Key]:
        async with await Ledger.open(cli.folder / "home" / LEDGER_FILE) as ledger:
            return await ledger.keys.all()

    return asyncio.run(every())


def listed(cli: CliRunner) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cli.run("keys", "list", "--json").stdout)
    return found


def test_only_the_new_key_is_written_to_standard_output(cli: CliRunner) -> None:
    done = cli.run("keys", "create", "--name", "laptop")
    assert done.returncode == 0
    assert SECRET.fullmatch(done.stdout)
    assert "created the key 'laptop'" in done.stderr
    assert done.stdout.strip() not in done.stderr
    (key,) = known(cli)
    assert key.hash == sha256(done.stdout.strip().encode()).hexdigest()
    assert (cli.folder / "home").stat().st_mode & 0o777 == 0o700


def test_a_pipe_gets_columns_divided_by_tabs(cli: CliRunner) -> None:
    secret = made(cli, "laptop")
    made(cli, "desk")
    cli.run("keys", "revoke", "desk")
    heading, *rows = (line.split("\t") for line in cli.run("keys", "list").stdout.splitlines())
    assert heading == ["name", "label", "created", "last used", "state"]
    assert [row[0] for row in rows] == ["laptop", "desk"]
    assert rows[0][1] == f"{secret[:9]}...{secret[-4:]}"
    assert TIME.fullmatch(rows[0][2])
    assert [row[3] for row in rows] == ["never", "never"]
    assert [row[4] for row in rows] == ["valid", "revoked"]


def test_programs_get_json(cli: CliRunner) -> None:
    made(cli, "Zoë's 📱")
    (key,) = listed(cli)
    assert key["name"] == "Zoë's 📱"
    assert re.fullmatch("[0-9a-f]{64}", key["hash"])
    assert TIME.fullmatch(key["created_at"])
    assert (key["last_used_at"], key["revoked_at"]) == (None, None)
    cli.run("keys", "revoke", key["hash"][:8])
    assert TIME.fullmatch(listed(cli)[0]["revoked_at"])


def test_a_terminal_gets_a_table(cli: CliRunner) -> None:
    made(cli, "[red]laptop[/red]")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        done = cli.run("keys", "list", stdout=theirs, COLUMNS="120")
        os.close(theirs)
        table = screen.read(1 << 16).decode()
    assert done.returncode == 0
    assert "[red]laptop[/red]" in table
    assert "──" in table
    assert "\t" not in table


def test_no_key_yet(cli: CliRunner) -> None:
    done = cli.run("keys", "list")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert "`voxgate keys create --name NAME`" in done.stderr
    assert listed(cli) == []


def test_revoking(cli: CliRunner) -> None:
    secret = made(cli, "laptop")
    done = cli.run("keys", "revoke", "laptop")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"revoked the key 'laptop' ({secret[:9]}...{secret[-4:]})" in done.stderr
    again = cli.run("keys", "revoke", secret)
    assert again.returncode == 2
    assert "already revoked" in again.stderr
    assert secret not in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("create",), 2, "--name"),
        (("create", "--name", ""), 2, "1 to 100 printable characters"),
        (("create", "--name", "a\nb"), 2, "1 to 100 printable characters"),
        (("create", "--name", "taken"), 2, "'taken' already"),
        (("revoke",), 2, "WHAT"),
        (("revoke", "nobody"), 1, "No key is called 'nobody'"),
        (("revoke", "\x1b[31m"), 1, "\\x1b[31m"),
        (("revoke", "\udcff"), 1, "No key is called"),
    ],
)
def test_what_goes_wrong(cli: CliRunner, arguments: tuple[str, ...], code: int, says: str) -> None:
    made(cli, "taken")
    done = cli.run("keys", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [(key.name, key.revoked_at) for key in known(cli)] == [("taken", None)]


def test_help_says_what_there_is(cli: CliRunner) -> None:
    done = cli.run("keys", "--help")
    assert done.returncode == 0
    for command in ("create", "list", "revoke"):
        assert command in done.stdout


def test_a_key_that_could_not_be_written_is_revoked(cli: CliRunner) -> None:
    with Path("/dev/full").open("wb") as full:
        done = cli.run("keys", "create", "--name", "laptop", stdout=full)
    assert done.returncode == 1
    assert "Standard output cannot be written" in done.stderr
    assert "created the key" not in done.stderr
    (key,) = known(cli)
    assert key.revoked_at


def test_a_closed_standard_output_is_reported_before_a_key_is_created(cli: CliRunner) -> None:
    done = cli.run("keys", "create", "--name", "laptop", preexec=lambda: os.close(1))
    assert done.returncode == 1
    assert "Standard output is closed" in done.stderr
    assert known(cli) == []


def test_a_disk_that_is_full(cli: CliRunner) -> None:
    before = on_small_disk(cli.folder / "home", kib=64, fill=60)
    done = cli.run("keys", "create", "--name", "laptop", before=before)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "ledger.sqlite3 cannot be used: " in line
    assert "disk" in line


def test_a_home_without_rights(cli: CliRunner) -> None:
    home = cli.folder / "home"
    home.mkdir(mode=0o500)
    done = cli.run("keys", "list", preexec=drop_permission_override)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Permission denied. Give this user permission to write" in done.stderr


def test_a_ledger_of_a_newer_version(cli: CliRunner) -> None:
    made(cli, "laptop")
    with closing(sqlite3.connect(cli.folder / "home" / LEDGER_FILE)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0099'")
    done = cli.run("keys", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "newer version of Voxgate" in done.stderr
