"""A backup is the ledger at one moment, whatever is written meanwhile."""

import errno
import os
import resource
import shlex
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ledger import postgres
from tests.ledger.other_process import open_ledger, process, read_line, sql
from voxgate.errors import LedgerError, OutputError, UsageError
from voxgate.ledger import backup
from voxgate.ledger.address import Address
from voxgate.ledger.backup import back_up, dump_command
from voxgate.ledger.ledger import Ledger


async def test_a_copy_while_a_server_writes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES", 1)  # as many moments to write in as there can be
    body = """
        import itertools
        for number in itertools.count():
            id = f"gen-{number}"
            await ledger.generations.begin(Generation(id, None, "model"))
            await ledger.generations.finish(id, Outcome(status=200, latency_ms=1))
            print(id, flush=True)
        """
    target = tmp_path / "copy.sqlite3"
    with process(body, path) as child:
        open_ledger(child)
        for _ in range(100):
            read_line(child)
        size = back_up(Address.of_file(path), target)
        assert child.poll() is None
    assert size == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.sqlite3", "home"]
    assert sql(target, "PRAGMA integrity_check") == [("ok",)]
    ((finished,),) = sql(target, "SELECT count(*) FROM generations WHERE status = 200")
    assert finished >= 100
    assert sql(target, "SELECT sum(requests) FROM usage_days") == [(finished,)]


async def test_a_restored_copy_is_a_ledger(path: Path, tmp_path: Path) -> None:
    async with await Ledger.open(path) as ledger:
        key, secret = await ledger.keys.create("laptop")
        back_up(Address.of_file(path), tmp_path / "copy")
        await ledger.keys.create("later")
    async with await Ledger.open(tmp_path / "copy") as restored:
        assert [each.name for each in await restored.keys.all()] == ["laptop"]
        assert await restored.keys.authenticate(secret) == key


async def test_nothing_is_overwritten(sqlite_ledger: Ledger, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.write_text("precious")
    with pytest.raises(UsageError, match="copy exists"):
        back_up(Address.of_file(path), target)
    assert target.read_text() == "precious"
    (tmp_path / "other.part").write_text("precious")
    with pytest.raises(OutputError, match="cannot be created: File exists"):
        back_up(Address.of_file(path), tmp_path / "other")
    assert (tmp_path / "other.part").read_text() == "precious"


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen between the copy and its naming."""
    copy = backup._copy

    def copy_and_then(source: sqlite3.Connection, part: Path) -> None:
        copy(source, part)
        happens()

    monkeypatch.setattr(backup, "_copy", copy_and_then)


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hard links fail as on a memory stick."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.parametrize("links", [True, False])
async def test_a_file_that_is_made_meanwhile_is_not_overwritten(
    sqlite_ledger: Ledger, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    target = tmp_path / "copy"
    meanwhile(monkeypatch, lambda: target.write_text("precious"))
    if not links:
        without_links(monkeypatch)
    with pytest.raises(UsageError, match="copy exists"):
        back_up(Address.of_file(path), target)
    assert target.read_text() == "precious"
    assert not (tmp_path / "copy.part").exists()


async def test_a_copy_on_a_disk_without_links(
    sqlite_ledger: Ledger, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_links(monkeypatch)
    size = back_up(Address.of_file(path), tmp_path / "copy")
    assert size == (tmp_path / "copy").stat().st_size
    assert sql(tmp_path / "copy", "PRAGMA integrity_check") == [("ok",)]
    assert not (tmp_path / "copy.part").exists()


async def test_a_copy_that_cannot_get_its_name(
    sqlite_ledger: Ledger, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    meanwhile(monkeypatch, lambda: folder.rename(tmp_path / "gone"))
    with pytest.raises(OutputError, match=r"stick/copy cannot be written: No such file"):
        back_up(Address.of_file(path), folder / "copy")


async def test_a_disk_that_takes_no_more_is_not_the_ledgers_fault(
    sqlite_ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert path.stat().st_size > 2**16
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"copy\.part cannot be written: disk I/O error"):
            back_up(Address.of_file(path), tmp_path / "copy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [file.name for file in tmp_path.iterdir()] == ["home"]


def test_a_file_that_is_no_ledger(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.write_text("no database" * 1000)
    with pytest.raises(LedgerError, match="file is not a database"):
        back_up(Address.of_file(path), tmp_path / "copy")
    assert [file.name for file in tmp_path.iterdir()] == ["home"]


async def test_a_folder_that_is_not_there(
    sqlite_ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="No such file or directory"):
        back_up(Address.of_file(path), tmp_path / "nowhere" / "copy")


def test_a_ledger_that_is_not_there(path: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger at"):
        back_up(Address.of_file(path), tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


async def test_an_interrupted_copy_leaves_nothing(
    sqlite_ledger: Ledger, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backup, "_copy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        back_up(Address.of_file(path), tmp_path / "copy")
    assert [file.name for file in tmp_path.iterdir()] == ["home"]


async def test_the_command_for_postgresql_makes_a_backup(
    server: postgres.Server, migrated: str, tmp_path: Path
) -> None:
    address = server.address(migrated)
    target = tmp_path / "my copy"
    with pytest.raises(UsageError, match="own tool for backups") as caught:
        back_up(address, target)
    command = caught.value.sentence.split("`")[1]
    assert command == dump_command(address, target)
    program, *arguments = shlex.split(command)
    subprocess.run([server.programs / program, *arguments], check=True)
    listed = subprocess.run(
        [server.programs / "pg_restore", "--list", target],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "TABLE DATA public usage_histograms" in listed.stdout


def test_the_command_has_no_password() -> None:
    address = Address.of_server("postgresql://me:secret@db.example.org:5433/books?password=secret")
    assert dump_command(address, Path("copy")) == (
        "pg_dump --format=custom --file=copy postgresql://me@db.example.org:5433/books"
    )
