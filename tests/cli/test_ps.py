"""`voxgate ps` and `voxgate unload`, beside a server and an engine of their own."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import recording, served
from tests.cli.command import clip
from tests.processes import alive, until
from tests.sounds import encode
from voxgate.cli.ps import waits_for
from voxgate.engine.protocol import Health
from voxgate.models.running import EngineRecord
from voxgate.providers.inspection import LoadedEngine

if TYPE_CHECKING:
    from tests.cli.command import CliRunner

MODEL = "Systran/faster-whisper-base"
DIGITS = Path(__file__).parents[1] / "data" / "voxtral-digits"


def spoken() -> dict[str, Any]:
    return recording(encode(clip(), "clip.wav"), model=MODEL)


async def listed(cli: CliRunner) -> list[dict[str, Any]]:
    done = await asyncio.to_thread(cli.run, "ps", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_nothing_in_memory_is_a_sentence_for_people_and_a_heading_for_programs(
    cli: CliRunner,
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        done = cli.run("ps", stdout=theirs)
        os.close(theirs)
        shown = screen.read(1 << 16).decode()
    assert (done.returncode, shown) == (0, "No model is in memory.\r\n")
    (headings,) = cli.run("ps").stdout.splitlines()
    assert headings.split("\t")[0] == "model"


async def test_a_servers_engine_is_listed_and_unloaded(cli: CliRunner) -> None:
    assert await listed(cli) == []
    async with served(cli) as server:
        assert await listed(cli) == []  # nothing is loaded before its first use
        assert (await server.client.post("/audio/transcriptions", json=spoken())).status_code == 200
        (engine,) = await listed(cli)
        assert (engine["model"], engine["state"]) == (MODEL, "idle")
        assert engine["taken"] == 1
        assert engine["memory_bytes"] > 50e6
        assert engine["idle_s"] >= 0
        table = await asyncio.to_thread(cli.run, "ps")
        headings, row = table.stdout.splitlines()
        assert headings.split("\t")[0] == "model"
        assert row.split("\t")[0] == MODEL
        done = await asyncio.to_thread(cli.run, "unload", MODEL)
        assert (done.returncode, done.stdout) == (0, "")
        assert f"unloaded {MODEL} (process {engine['pid']})" in done.stderr
        assert not alive(engine["pid"])
        assert await listed(cli) == []
        again = await server.client.post("/audio/transcriptions", json=spoken())
        assert again.status_code == 200  # it is loaded again when it is asked for
        assert [engine["pid"]] != [engine["pid"] for engine in await listed(cli)]
    assert list((cli.folder / "home" / "run").iterdir()) == []


async def test_unloading_waits_for_work_in_progress(cli: CliRunner) -> None:
    async with served(cli, "--preload", MODEL) as server:
        work = asyncio.create_task(server.client.post("/audio/transcriptions", json=spoken()))
        (engine,) = await listed(cli)
        done = await asyncio.to_thread(cli.run, "unload", "--all")
        assert done.returncode == 0, done.stderr
        assert (await work).status_code == 200
        await until(lambda: not alive(engine["pid"]), "the end of the first engine")


async def test_a_killed_engine_and_a_killed_server_leave_nothing(cli: CliRunner) -> None:
    async with served(cli, "--preload", MODEL) as server:
        (engine,) = await listed(cli)
        os.kill(engine["pid"], signal.SIGKILL)
        await until(lambda: not list((cli.folder / "home" / "run").iterdir()), "no plate")
        assert (await server.client.post("/audio/transcriptions", json=spoken())).status_code == 200
        (engine,) = await listed(cli)
        server.process.kill()
        await until(lambda: not alive(engine["pid"]), "the end of the engine")
        assert await listed(cli) == []
        assert not list((cli.folder / "home" / "run").iterdir())
        assert not list(cli.temp.iterdir())


async def test_a_model_in_use_is_not_removed(cli: CliRunner) -> None:
    checkpoint = cli.folder / "digits"
    shutil.copytree(DIGITS, checkpoint)
    added = cli.run("models", "add", checkpoint)
    assert added.returncode == 0, added.stderr
    async with served(cli, "--preload", "digits"):
        refused = await asyncio.to_thread(cli.run, "models", "rm", "digits")
        assert refused.returncode == 1
        assert "digits is in memory, in process " in refused.stderr
        assert "`voxgate unload digits`" in refused.stderr
        (engine,) = await listed(cli)
        assert engine["checkpoint"] == str(checkpoint)
        assert engine["profile"] == "balanced"
        assert len(engine["revision"]) == 40
        assert (await asyncio.to_thread(cli.run, "unload", "digits")).returncode == 0
        assert (await asyncio.to_thread(cli.run, "models", "rm", "digits")).returncode == 0


@pytest.mark.parametrize(
    ("windows", "says"),
    [
        ((0, 0), ""),
        ((1, 0), "waiting for 1 window of sound that a/b recognises, for at most 9 s."),
        ((2, 3), "waiting for 5 windows of sound that a/b recognises, for at most 9 s."),
        (None, "waiting for a/b, which is loading, for at most 9 s."),
    ],
)
def test_what_unloading_waits_for(
    windows: tuple[int, int] | None, says: str, tmp_path: Path
) -> None:
    record = EngineRecord(pid=1, model="a/b", socket=str(tmp_path / "socket"), started_at="")
    health = windows and Health(
        model="a/b", pid=1, state="", active=windows[0], queued=windows[1], taken=5
    )
    sentence = waits_for(LoadedEngine(record, health, None), 9.0)
    assert sentence.startswith(says)
    assert bool(sentence) is bool(says)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "Name the model to unload, or write --all."),
        (("--all", MODEL), 2, "Name the model to unload, or write --all."),
        (("Systran/faster-whisper-bass",), 2, "No model is called 'Systran/faster-whisper-bass'"),
        (("voxtral-mini-latest",), 1, "`voxgate models pull mistralai/Voxtral-Mini-3B-2507`"),
        ((MODEL,), 0, f"{MODEL} is not in memory."),
        (("--all",), 0, "no model is in memory."),
    ],
)
def test_what_is_not_in_memory(
    cli: CliRunner, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = cli.run("unload", *arguments)
    assert done.returncode == code
    assert said in done.stderr
