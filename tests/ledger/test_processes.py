"""Several processes at one file, and processes that are killed."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ledger.others import DEADLINE_S, go, process, run, said, sql
from tests.processes import until
from voxgate.ledger.ledger import Ledger


def test_many_that_open_a_new_ledger_at_once(path: Path) -> None:
    names = [f"process {number}" for number in range(6)]
    with ExitStack() as stack:
        started = [
            stack.enter_context(process("await ledger.keys.create(arguments[0])", path, name))
            for name in names
        ]
        for other in started:
            go(other)
        for other in started:
            out, _ = other.communicate(timeout=DEADLINE_S)
            assert (other.returncode, out) == (0, "")
    assert sorted(name for (name,) in sql(path, "SELECT name FROM keys")) == names


def test_writers_at_the_same_time_lose_nothing(path: Path) -> None:
    body = """
        for number in range(150):
            id = f"gen-{arguments[0]}-{number}"
            await ledger.generations.begin(Generation(id, None, "model"))
            await ledger.generations.finish(
                id, status=200, latency_ms=1, generation_time_ms=1, cost_nanodollars=1
            )
        """
    with ExitStack() as stack:
        started = [stack.enter_context(process(body, path, name)) for name in "abc"]
        for other in started:
            go(other)
        for other in started:
            out, _ = other.communicate(timeout=DEADLINE_S)
            assert (other.returncode, out) == (0, "")
    total = "SELECT count(*), sum(cost_nanodollars) FROM generations WHERE status = 200"
    assert sql(path, total) == [(450, 450)]


async def test_a_key_that_another_process_revokes_stops_at_once(ledger: Ledger, path: Path) -> None:
    _, secret = await ledger.keys.create("laptop")
    assert await ledger.keys.holder(secret)
    assert run("await ledger.keys.revoke('laptop')", path) == (0, "")
    assert await ledger.keys.holder(secret) is None


async def test_a_key_that_another_process_makes_works_at_once(ledger: Ledger, path: Path) -> None:
    assert not await ledger.keys.any()
    code, secret = run("print((await ledger.keys.create('laptop'))[1])", path)
    assert code == 0
    key = await ledger.keys.holder(secret)
    assert key is not None
    assert key.name == "laptop"


@pytest.mark.parametrize("lines", [1, 20, 60])
async def test_a_kill_in_the_middle_of_writing_loses_nothing_written(
    path: Path, lines: int
) -> None:
    body = """
        import itertools
        for number in itertools.count():
            id = f"gen-{number}"
            await ledger.generations.begin(Generation(id, None, "model"))
            await ledger.generations.finish(id, status=200, latency_ms=1, generation_time_ms=1)
            print(id, flush=True)
        """
    with process(body, path) as other:
        go(other)
        finished = [said(other) for _ in range(lines)]
        os.kill(other.pid, signal.SIGKILL)
        assert other.stdout
        rest = other.stdout.read()
    finished += rest.splitlines() if rest.endswith("\n") else rest.splitlines()[:-1]
    assert finished[:lines] == [f"gen-{number}" for number in range(lines)]
    async with await Ledger.open(path) as ledger:
        for name in finished:
            found = await ledger.generations.find(name, None)
            assert found
            assert found.status == 200
        await ledger.keys.create("still writes")
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("seen", ["ledger.sqlite3.lock", "ledger.sqlite3", "ledger.sqlite3-wal"])
async def test_a_kill_in_the_middle_of_opening_leaves_what_can_be_opened(
    path: Path, seen: str
) -> None:
    with process("await ledger.keys.any(); await asyncio.sleep(60)", path) as other:
        go(other)
        await until((path.parent / seen).exists, seen)
        os.kill(other.pid, signal.SIGKILL)
    async with await Ledger.open(path) as ledger:
        await ledger.keys.create("laptop")
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]
