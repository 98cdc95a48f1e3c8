"""Opening and closing a ledger, and disks that fail. Errors name the path and the next step."""

import asyncio
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.command import drop_permission_override
from tests.ledger.other_process import run, sql
from voxgate.errors import LedgerError
from voxgate.ledger.address import Address
from voxgate.ledger.errors import ledger_errors
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.ledger import Ledger


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_its_files_are_private_to_the_user(path: Path) -> None:
    async with await Ledger.open(path) as ledger:
        await ledger.keys.create("laptop")
        files = list(path.parent.iterdir())
        assert path.with_name(f"{path.name}-wal") in files
        assert {permissions(file) for file in files} == {0o600}
    assert permissions(path.parent) == 0o700


async def test_keys_survive_closing_and_opening(path: Path) -> None:
    async with await Ledger.open(path) as ledger:
        key, secret = await ledger.keys.create("laptop")
    async with await Ledger.open(path) as ledger:
        assert await ledger.keys.authenticate(secret) == key


async def test_it_uses_a_write_ahead_log(sqlite_ledger: Ledger, path: Path) -> None:
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize(
    "name", ["a b", "100%", "q?x=1#y", "file:x", ":memory:", "naïve", "\udcff"]
)
async def test_a_path_may_contain_any_characters(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / f"{name}.db"
    async with await Ledger.open(path) as ledger:
        await ledger.keys.create("laptop")
    assert sql(path, "SELECT name FROM keys") == [("laptop",)]


@pytest.mark.parametrize("name", ["home/db", ":memory:", "file:db"])
async def test_a_relative_path_does_not_follow_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    async with await Ledger.open(Path(name)) as ledger:
        monkeypatch.chdir("/")
        await ledger.keys.create("laptop")
    assert sql(tmp_path / name, "SELECT name FROM keys") == [("laptop",)]


async def test_a_closed_ledger_raises(path: Path) -> None:
    ledger = await Ledger.open(path)
    await ledger.aclose()
    await ledger.aclose()
    with pytest.raises(LedgerError, match="is closed"):
        await ledger.keys.all()
    with pytest.raises(LedgerError, match="is closed"):
        await ledger.keys.create("laptop")


async def test_a_file_that_is_not_a_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"never a database" * 500)
    with pytest.raises(LedgerError, match=r"not a database.*Restore a backup of it") as caught:
        await Ledger.open(path)
    assert str(path) in caught.value.sentence
    assert path.read_bytes() == b"never a database" * 500


async def test_a_folder_at_the_path_of_the_file(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(LedgerError, match=r"unable to open .*VOXGATE_HOME"):
        await Ledger.open(path)


async def test_a_file_at_the_path_of_the_folder(path: Path) -> None:
    path.parent.write_text("in the way")
    with pytest.raises(LedgerError, match="Name another folder in VOXGATE_HOME"):
        await Ledger.open(path)


async def test_damaged_pages(path: Path) -> None:
    async with await Ledger.open(path) as ledger:
        key, secret = await ledger.keys.create("laptop")
    ((page,),) = sql(path, "SELECT rootpage FROM sqlite_master WHERE name = 'keys'")
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    async with await Ledger.open(path) as ledger:
        with pytest.raises(LedgerError, match=r"malformed.*Restore a backup of it"):
            await ledger.keys.all()
        with pytest.raises(LedgerError) as caught:
            await ledger.keys.authenticate(secret)
    assert key.hash not in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("column", "value"),
    [("created_at", "yesterday"), ("created_at", b"\xff"), ("attempts", "{"), ("attempts", "null")],
)
async def test_damaged_rows(sqlite_ledger: Ledger, path: Path, column: str, value: object) -> None:
    await sqlite_ledger.generations.begin(Generation("gen-1", None, "model"))
    assert await sqlite_ledger.generations.find("gen-1", None)
    sql(path, f"UPDATE generations SET {column} = ?", value)  # noqa: S608 (a name from this test)
    with pytest.raises(LedgerError, match="cannot be used"):
        await sqlite_ledger.generations.find("gen-1", None)


@pytest.mark.parametrize("folder_mode", [0o500, 0o000])
def test_a_folder_without_permissions(path: Path, folder_mode: int) -> None:
    path.parent.mkdir(mode=folder_mode)
    code, output = run("print('opened')", path, preexec=drop_permission_override)
    path.parent.chmod(0o700)
    assert code == 1
    assert f"{path} cannot be used: Permission denied. Give this user permission" in output


def test_a_file_without_write_permission(path: Path) -> None:
    assert run("await ledger.keys.create('laptop')", path) == (0, "")
    path.chmod(0o400)
    code, output = run("print('opened')", path, preexec=drop_permission_override)
    assert code == 1
    assert f"{path} cannot be used: Permission denied. Give this user permission" in output


def test_a_disk_that_is_full_for_some_time(path: Path) -> None:
    """Simulated by a limit on the size of files. Reads still work, and writes work afterwards."""
    body = """
        import resource
        def limit(size):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        key, secret = await ledger.keys.create("laptop")
        limit(0)
        try:
            await ledger.generations.begin(Generation("gen-1", key.hash, "model"))
        except LedgerError as error:
            print(error.sentence)
        print((await ledger.keys.authenticate(secret)).name)
        limit(resource.RLIM_INFINITY)
        print(await ledger.generations.find("gen-1", key.hash))
        await ledger.generations.begin(Generation("gen-1", key.hash, "model"))
        print((await ledger.generations.find("gen-1", key.hash)).id)
        """
    code, output = run(body, path)
    failure, *rest = output.splitlines()
    assert f"{path} cannot be used: disk I/O error. Check the disk" in failure
    assert (code, rest) == (0, ["laptop", "None", "gen-1"])


def test_a_database_that_stays_locked(path: Path) -> None:
    path.parent.mkdir()
    with (
        closing(sqlite3.connect(path)) as other,
        closing(sqlite3.connect(path, timeout=0)) as connection,
    ):
        other.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(LedgerError, match=r"is locked\. Another process"),
            ledger_errors(Address.of_file(path)),
        ):
            connection.execute("BEGIN IMMEDIATE")


async def test_an_error_does_not_contain_values(ledger: Ledger) -> None:
    generation = Generation("gen-1", None, "model", user_agent="private")
    await ledger.generations.begin(generation)
    with pytest.raises(LedgerError) as caught:
        await ledger.generations.begin(generation)
    assert "private" not in caught.value.sentence
    assert "private" not in str(caught.value.__cause__)


async def test_a_write_is_finished_after_its_caller_is_cancelled(path: Path) -> None:
    async with await Ledger.open(path) as ledger:
        for number in range(30):
            task = asyncio.create_task(
                ledger.generations.begin(Generation(f"gen-{number}", None, "model"))
            )
            await asyncio.sleep(0)  # let it begin
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert sql(path, "SELECT count(*) FROM generations") == [(30,)]


async def test_a_cancelled_caller_waits_for_its_write(address: Address) -> None:
    """What is written next for it comes after: an end after a beginning."""
    async with await Ledger.open(address) as ledger:
        for number in range(30):
            name = f"gen-{number}"
            task = asyncio.create_task(ledger.generations.begin(Generation(name, None, "model")))
            await asyncio.sleep(0)  # let it begin
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await ledger.generations.finish(name, Outcome(499, 1))


async def test_cancelled_callers_leave_no_threads(ledger: Ledger) -> None:
    before = threading.active_count()
    _, secret = await ledger.keys.create("laptop")
    for _ in range(100):
        task = asyncio.create_task(ledger.keys.authenticate(secret))
        await asyncio.sleep(0)
        task.cancel()
    found = await asyncio.gather(*(ledger.keys.authenticate(secret) for _ in range(100)))
    assert {key.name for key in found if key} == {"laptop"}
    assert threading.active_count() - before <= 5  # four readers and the writer


async def test_a_read_that_has_begun_finishes_while_the_ledger_closes(path: Path) -> None:
    ledger = await Ledger.open(path)
    key, secret = await ledger.keys.create("laptop")
    authentication = asyncio.create_task(ledger.keys.authenticate(secret))
    await asyncio.sleep(0)  # let it begin
    await ledger.aclose()
    assert await authentication == key
    assert sql(path, "SELECT last_used_at FROM keys") == [(None,)]
