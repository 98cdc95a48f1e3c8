"""`Leases`, on a ledger whose file another program writes to."""

import asyncio
import logging
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from tests.processes import DEADLINE_S
from voxgate.api.jobs import Jobs
from voxgate.api.leases import Leases
from voxgate.api.transcript_job import TranscriptJob
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.ledger import Ledger
from voxgate.pipeline.trace import Trace
from voxgate.settings import Settings


async def test_an_outcome_that_is_being_stored_is_stored_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ledger.sqlite3"
    async with await Ledger.open(path) as ledger:
        await ledger.generations.begin(Generation("gen-stt-1", None, "a/model"))
        leases = Leases(ledger.generations, Jobs(Settings()))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            ended = Outcome(status=200, latency_ms=1, generation_time_ms=1)
            finish = asyncio.create_task(leases.finish("gen-stt-1", ended))
            await asyncio.sleep(0)  # it has begun, and waits for the other program
            stop = asyncio.create_task(_run_and_stop(leases))
            await asyncio.sleep(0)
            other.execute("ROLLBACK")
        await asyncio.gather(finish, stop)
        found = await ledger.generations.find("gen-stt-1", None)
    assert found
    assert found.status == 200
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_a_job_that_ended_is_held_until_its_outcome_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of an upload that goes on: else any server would end it as interrupted."""
    monkeypatch.setattr("voxgate.api.leases.HEARTBEAT_S", 0.01)
    async with await Ledger.open(tmp_path / "ledger.sqlite3") as ledger:
        await ledger.generations.begin(Generation("gen-stt-1", None, "a/model"))

        async def lease_until() -> datetime:
            found = await ledger.generations.find("gen-stt-1", None)
            assert found
            assert found.lease_until
            return found.lease_until

        leases = Leases(ledger.generations, Jobs(Settings()))
        job = TranscriptJob("gen-stt-1", None, Trace())
        leases.hold(job)
        begun = await lease_until()
        async with leases.renewed(), asyncio.timeout(DEADLINE_S):
            while await lease_until() == begun:  # noqa: ASYNC110 (a heartbeat sets nothing here)
                await asyncio.sleep(0.01)
            leases.release(job)
            ended = Outcome(status=200, latency_ms=1, generation_time_ms=1)
            await leases.finish("gen-stt-1", ended)
        found = await ledger.generations.find("gen-stt-1", None)
    assert found
    assert (found.status, found.lease_until) == (200, None)


async def _run_and_stop(leases: Leases) -> None:
    """What waits is stored when the context ends, as with each heartbeat."""
    async with leases.renewed():
        pass
