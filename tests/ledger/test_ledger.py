"""Opening, closing, and disks that do not take part. Errors name the path and the next step."""

import asyncio
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.command import drop_permission_override
from tests.ledger.others import run, sql
from voxgate.errors import LedgerError
from voxgate.ledger.errors import ledger_errors
from voxgate.ledger.generations import Generation
from voxgate.ledger.ledger import Ledger


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_everything_it_makes_is_the_users_alone(path: Path) -> None:
    async with await Ledger.open(path) as ledger:
        await ledger.keys.create("laptop")
        made = list(path.parent.iterdir())
        assert path.with_name(f"{path.name}-wal") in made
        assert {mode(file) for file in made} == {0o600}
    assert mode(path.parent) == 0o700


async def test_what_was_written_is_there_after_opening_again(path: Path) -> None:
    async with await Ledger.open(path) as ledger:
        key, secret = await ledger.keys.create("laptop")
    async with await Ledger.open(path) as ledger:
        assert await ledger.keys.holder(secret) == key


async def test_the_log_is_written_ahead(ledger: Ledger, path: Path) -> None:
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize(
    "name", ["a b", "100%", "q?x=1#y", "file:x", ":memory:", "naïve", "\udcff"]
)
async def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / f"{name}.db"
    async with await Ledger.open(path) as ledger:
        await ledger.keys.create("laptop")
    assert sql(path, "SELECT name FROM keys") == [("laptop",)]


@pytest.mark.parametrize("name", ["home/db", ":memory:", "file:db"])
async def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    async with await Ledger.open(Path(name)) as ledger:
        monkeypatch.chdir("/")
        await ledger.keys.create("laptop")
    assert sql(tmp_path / name, "SELECT name FROM keys") == [("laptop",)]


async def test_a_closed_ledger_says_so(path: Path) -> None:
    ledger = await Ledger.open(path)
    await ledger.aclose()
    await ledger.aclose()
    with pytest.raises(LedgerError, match="is closed"):
        await ledger.keys.all()
    with pytest.raises(LedgerError, match="is closed"):
        await ledger.keys.create("laptop")


async def test_a_file_that_is_no_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"never a database" * 500)
    with pytest.raises(LedgerError, match=r"not a database.*Put a backup in its place") as caught:
        await Ledger.open(path)
    assert str(path) in caught.value.sentence
    assert path.read_bytes() == b"never a database" * 500


async def test_a_folder_in_its_place(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(LedgerError, match=r"unable to open .*VOXGATE_HOME"):
        await Ledger.open(path)


async def test_a_file_in_its_folders_place(path: Path) -> None:
    path.parent.write_text("in the way")
    with pytest.raises(LedgerError, match="Name another folder in VOXGATE_HOME"):
        await Ledger.open(path)


async def test_pages_that_went_bad(path: Path) -> None:
    async with await Ledger.open(path) as ledger:
        key, secret = await ledger.keys.create("laptop")
    ((page,),) = sql(path, "SELECT rootpage FROM sqlite_master WHERE name = 'keys'")
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    async with await Ledger.open(path) as ledger:
        with pytest.raises(LedgerError, match=r"malformed.*Put a backup in its place"):
            await ledger.keys.all()
        with pytest.raises(LedgerError) as caught:
            await ledger.keys.holder(secret)
    assert key.hash not in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("column", "value"),
    [("created_at", "yesterday"), ("created_at", b"\xff"), ("attempts", "{"), ("attempts", "null")],
)
async def test_rows_that_went_bad(ledger: Ledger, path: Path, column: str, value: object) -> None:
    await ledger.generations.begin(Generation("gen-1", None, "model"))
    assert await ledger.generations.find("gen-1", None)
    sql(path, f"UPDATE generations SET {column} = ?", value)  # noqa: S608 (ours)
    with pytest.raises(LedgerError, match="cannot be used"):
        await ledger.generations.find("gen-1", None)


@pytest.mark.parametrize("rights", [0o500, 0o000])
def test_a_folder_without_rights(path: Path, rights: int) -> None:
    path.parent.mkdir(mode=rights)
    code, said = run("print('opened')", path, before=drop_permission_override)
    path.parent.chmod(0o700)
    assert code == 1
    assert f"{path} cannot be used: Permission denied. Give this user the right" in said


def test_a_file_without_the_right_to_write(path: Path) -> None:
    assert run("await ledger.keys.create('laptop')", path) == (0, "")
    path.chmod(0o400)
    code, said = run("print('opened')", path, before=drop_permission_override)
    assert code == 1
    assert f"{path} cannot be used: Permission denied. Give this user the right" in said


def test_a_disk_that_is_full_for_a_while(path: Path) -> None:
    """A limit on the size of files stands for it: what is read goes on, and so does the process."""
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
        print((await ledger.keys.holder(secret)).name)
        limit(resource.RLIM_INFINITY)
        print(await ledger.generations.find("gen-1", key.hash))
        await ledger.generations.begin(Generation("gen-1", key.hash, "model"))
        print((await ledger.generations.find("gen-1", key.hash)).id)
        """
    code, said = run(body, path)
    failure, *rest = said.splitlines()
    assert f"{path} cannot be used: disk I/O error. Look after the disk" in failure
    assert (code, rest) == (0, ["laptop", "None", "gen-1"])


def test_who_meets_another_writer_for_too_long_is_told(path: Path) -> None:
    path.parent.mkdir()
    with (
        closing(sqlite3.connect(path)) as theirs,
        closing(sqlite3.connect(path, timeout=0)) as ours,
    ):
        theirs.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match=r"is locked\. Another process"), ledger_errors(path):
            ours.execute("BEGIN IMMEDIATE")


async def test_an_error_does_not_tell_what_was_written(ledger: Ledger) -> None:
    generation = Generation("gen-1", None, "model", user_agent="private")
    await ledger.generations.begin(generation)
    with pytest.raises(LedgerError) as caught:
        await ledger.generations.begin(generation)
    assert "private" not in caught.value.sentence
    assert "private" not in str(caught.value.__cause__)


async def test_what_was_begun_is_written_though_the_caller_has_gone(path: Path) -> None:
    async with await Ledger.open(path) as ledger:
        for number in range(30):
            task = asyncio.create_task(
                ledger.generations.begin(Generation(f"gen-{number}", None, "model"))
            )
            await asyncio.sleep(0)  # it has begun
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert sql(path, "SELECT count(*) FROM generations") == [(30,)]


async def test_callers_who_go_leave_no_threads_behind(ledger: Ledger) -> None:
    before = threading.active_count()
    _, secret = await ledger.keys.create("laptop")
    for _ in range(100):
        task = asyncio.create_task(ledger.keys.holder(secret))
        await asyncio.sleep(0)
        task.cancel()
    found = await asyncio.gather(*(ledger.keys.holder(secret) for _ in range(100)))
    assert {key.name for key in found if key} == {"laptop"}
    assert threading.active_count() - before <= 5  # four readers and the writer


async def test_who_asks_while_it_closes_is_answered(path: Path) -> None:
    ledger = await Ledger.open(path)
    key, secret = await ledger.keys.create("laptop")
    asked = asyncio.create_task(ledger.keys.holder(secret))
    await asyncio.sleep(0)  # it has begun
    await ledger.aclose()
    assert await asked == key
    assert sql(path, "SELECT last_used_at FROM keys") == [(None,)]
