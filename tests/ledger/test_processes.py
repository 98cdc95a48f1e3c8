"""Several processes that use one ledger, and processes that are killed."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ledger.other_process import DEADLINE_S, open_ledger, process, read_line, run, sql
from tests.processes import until
from voxgate.ledger.ledger import Ledger


def test_processes_that_create_a_ledger_at_the_same_time(path: Path) -> None:
    names = [f"process {number}" for number in range(6)]
    with ExitStack() as stack:
        children = [
            stack.enter_context(process("await ledger.keys.create(arguments[0])", path, name))
            for name in names
        ]
        for child in children:
            open_ledger(child)
        for child in children:
            out, _ = child.communicate(timeout=DEADLINE_S)
            assert (child.returncode, out) == (0, "")
    assert sorted(name for (name,) in sql(path, "SELECT name FROM keys")) == names


def test_concurrent_writers_lose_nothing(path: Path) -> None:
    body = """
        for number in range(150):
            id = f"gen-{arguments[0]}-{number}"
            await ledger.generations.begin(Generation(id, None, "model"))
            await ledger.generations.finish(
                id, Outcome(status=200, latency_ms=1, cost=Amount(1))
            )
        """
    with ExitStack() as stack:
        children = [stack.enter_context(process(body, path, name)) for name in "abc"]
        for child in children:
            open_ledger(child)
        for child in children:
            out, _ = child.communicate(timeout=DEADLINE_S)
            assert (child.returncode, out) == (0, "")
    total = "SELECT count(*), sum(cost_nanodollars) FROM generations WHERE status = 200"
    assert sql(path, total) == [(450, 450)]


async def test_a_key_revoked_by_another_process_stops_working_at_once(
    sqlite_ledger: Ledger, path: Path
) -> None:
    _, secret = await sqlite_ledger.keys.create("laptop")
    assert await sqlite_ledger.keys.authenticate(secret)
    assert run("await ledger.keys.revoke('laptop')", path) == (0, "")
    assert await sqlite_ledger.keys.authenticate(secret) is None


async def test_a_key_created_by_another_process_works_at_once(
    sqlite_ledger: Ledger, path: Path
) -> None:
    assert not await sqlite_ledger.keys.any()
    code, secret = run("print((await ledger.keys.create('laptop'))[1])", path)
    assert code == 0
    key = await sqlite_ledger.keys.authenticate(secret)
    assert key is not None
    assert key.name == "laptop"


@pytest.mark.parametrize("lines", [1, 20, 60])
async def test_a_process_killed_while_it_writes_loses_no_finished_write(
    path: Path, lines: int
) -> None:
    body = """
        import itertools
        for number in itertools.count():
            id = f"gen-{number}"
            await ledger.generations.begin(Generation(id, None, "model"))
            await ledger.generations.finish(id, Outcome(status=200, latency_ms=1))
            print(id, flush=True)
        """
    with process(body, path) as child:
        open_ledger(child)
        finished = [read_line(child) for _ in range(lines)]
        os.kill(child.pid, signal.SIGKILL)
        assert child.stdout
        rest = child.stdout.read()
    finished += rest.splitlines() if rest.endswith("\n") else rest.splitlines()[:-1]
    assert finished[:lines] == [f"gen-{number}" for number in range(lines)]
    async with await Ledger.open(path) as ledger:
        for name in finished:
            found = await ledger.generations.find(name, None)
            assert found
            assert found.status == 200
        await ledger.keys.create("still writes")
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(
    "file_name", ["ledger.sqlite3.lock", "ledger.sqlite3", "ledger.sqlite3-wal"]
)
async def test_a_process_killed_while_it_opens_leaves_a_usable_ledger(
    path: Path, file_name: str
) -> None:
    with process("await ledger.keys.any(); await asyncio.sleep(60)", path) as child:
        open_ledger(child)
        await until((path.parent / file_name).exists, file_name)
        os.kill(child.pid, signal.SIGKILL)
    async with await Ledger.open(path) as ledger:
        await ledger.keys.create("laptop")
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]
