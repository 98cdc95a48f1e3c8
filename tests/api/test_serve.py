"""`voxgate serve` as its users run it: processes, keys, engines, signals, kill -9."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import pty
import random
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.api.serving import PATH, Served, error_of, recording, served
from tests.cli.command import CLIP_WORDS, clip
from tests.processes import DEADLINE_S, alive, children, descendants, until, working_decoders
from tests.sounds import RATE, encode
from voxgate.providers.inspection import inspect_engines
from voxgate.settings import Settings

if TYPE_CHECKING:
    import httpx2

    from tests.cli.command import CliRunner

MODEL = "Systran/faster-whisper-base"
AUDIO = os.environ.get("VOXGATE_AUDIO", "")
DECODERS = "voxgate.audio.decoder.server"
ENGINE = "voxgate.engine"


def commandline(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
    return ""


def running(server: Served, module: str) -> list[int]:
    found = [pid for pid in children(server.process.pid) if f"-m {module} " in commandline(pid)]
    return [pid for pid in found if alive(pid)]


def spoken(**fields: Any) -> dict[str, Any]:
    return recording(encode(clip(), "clip.wav"), **{"model": MODEL, **fields})


async def test_the_first_key_is_shown_once_and_kept_as_a_hash(cli: CliRunner) -> None:
    async with served(cli) as server:
        assert server.key.startswith("sk-vg-")
        assert server.key not in "\n".join(server.said)  # which is the log
        answer = await server.client.post("/audio/transcriptions", json=spoken())
        assert CLIP_WORDS in answer.json()["text"]
        assert await server.end() == 0
    home = cli.folder / "home"
    kept = [path for path in home.rglob("*") if path.is_file() and "models" not in path.parts]
    for file in kept:
        assert server.key.encode() not in file.read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with served(cli) as again:
        assert again.key == ""  # there is one already
        headers = {"Authorization": f"Bearer {server.key}"}
        answer = await again.client.post("/audio/transcriptions", json=spoken(), headers=headers)
        assert answer.status_code == 200
        revoked = cli.run("keys", "revoke", "first")
        assert revoked.returncode == 0
        answer = await again.client.post("/audio/transcriptions", json=spoken(), headers=headers)
        assert answer.status_code == 401


def test_a_terminal_shows_the_first_key(cli: CliRunner) -> None:
    ours, theirs = pty.openpty()
    with (
        subprocess.Popen(
            [sys.executable, "-m", "voxgate", "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=cli.environment | {"COLUMNS": "120"},
        ) as process,
        os.fdopen(ours, "rb", buffering=0) as screen,
    ):
        os.close(theirs)
        shown = b""
        while b"listening on" not in shown:
            shown += screen.read(4096)
        process.terminate()
        out, _ = process.communicate(timeout=DEADLINE_S)
    assert out == b""
    assert b"the first key, shown only now: sk-vg-" in shown


async def test_preloading_has_the_engine_there_first(cli: CliRunner) -> None:
    async with served(cli, "--preload", MODEL) as server:
        assert running(server, ENGINE)
    async with served(cli) as server:
        assert not running(server, ENGINE)


async def test_a_price_by_an_alias_is_charged(cli: CliRunner) -> None:
    async with served(cli, VOXGATE_PRICES="openai/whisper-base = 3.6/hour") as server:
        (model,) = (await server.client.get("/models")).json()["data"]
        answer = await server.client.post("/audio/transcriptions", json=spoken(model="whisper-1"))
    assert model["voxgate"]["price"]["unit"] == "hour"
    usage = answer.json()["usage"]
    assert usage["seconds"] > 1
    assert usage["cost"] == pytest.approx(usage["seconds"] / 1000, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (("--preload", "Systran/faster-whisper-bass"), {}, "Systran/faster-whisper-base"),
        (("--host", "192.0.2.1"), {}, "address"),
        (("--host", "0.0.0.0"), {"VOXGATE_AUTH": "off"}, "loopback"),  # noqa: S104
        (
            (),
            {"VOXGATE_MODEL_ALIASES": "whisper-1 = whisper-bass"},
            "'whisper-1' is 'whisper-bass'",
        ),
        (
            (),
            {"VOXGATE_PRICES": "whisper-bass = 1/minute"},
            "'prices' lists 'whisper-bass'. No model is called 'whisper-bass'. Nearest: Systran",
        ),
        (
            (),
            {"VOXGATE_PRICES": "whisper-1 = 1/minute, openai/whisper-base = 2/minute"},
            "whisper-1 and openai/whisper-base are one model, Systran/faster-whisper-base",
        ),
        ((), {"VOXGATE_AUTH": "of"}, "'keys' or 'off'"),
    ],
)
async def test_a_server_that_cannot_start_fails_at_once(
    cli: CliRunner, arguments: tuple[str, ...], settings: dict[str, Any], said: str
) -> None:
    result = await asyncio.to_thread(cli.run, "serve", "--port", "0", *arguments, **settings)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "settings", "listens"),
    [
        ((), {"VOXGATE_HOST": "192.0.2.1", "VOXGATE_PORT": "0"}, "192.0.2.1 port 0 "),
        (("--port", "1"), {"VOXGATE_HOST": "192.0.2.1"}, "192.0.2.1 port 1 "),
        (("--host", "198.51.100.7"), {"VOXGATE_HOST": "192.0.2.1"}, "198.51.100.7 port 8000 "),
    ],
)
async def test_the_address_is_a_setting_and_options_come_first(
    cli: CliRunner, arguments: tuple[str, ...], settings: dict[str, Any], listens: str
) -> None:
    result = await asyncio.to_thread(cli.run, "serve", *arguments, **settings)
    assert result.returncode == 2
    assert listens in result.stderr


async def test_a_port_that_is_taken(cli: CliRunner) -> None:
    async with served(cli) as server:
        port = server.url.rpartition(":")[2]
        result = await asyncio.to_thread(cli.run, "serve", "--port", port)
    assert result.returncode == 2
    assert "choose another --port" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_jobs_end_and_leaves_nothing(
    cli: CliRunner, number: signal.Signals
) -> None:
    async with served(cli, "--preload", MODEL) as server:
        work = asyncio.create_task(server.client.post("/audio/transcriptions", json=spoken()))
        await working(cli)
        family = descendants(server.process.pid)
        assert len(family) >= 2
        assert await server.end(number) == 0
        line = "voxgate: stopping: 1 request may finish; press Ctrl-C again to end it now."
        assert line in server.said
        assert CLIP_WORDS in (await work).json()["text"]
        await until(lambda: not any(map(alive, family)), "the end of every child")
        assert "Traceback" not in "\n".join(server.said)


async def working(cli: CliRunner) -> None:
    """Wait for an engine of this home that has a window in work."""
    settings = Settings(home=cli.folder / "home")
    async with asyncio.timeout(DEADLINE_S):
        while not any(engine.state == "working" for engine in await inspect_engines(settings)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def decoding(server: Served) -> list[int]:
    """The decoders at work."""
    return list(filter(alive, itertools.chain(*map(working_decoders, running(server, DECODERS)))))


CLIENT = """
import base64, json, sys, urllib.request
url, key, path = sys.argv[1:]
body = {"model": "Systran/faster-whisper-base", "input_audio": {
    "data": base64.b64encode(open(path, "rb").read()).decode(), "format": "wav"}}
headers = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}
urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)).read()
"""


async def test_a_killed_process_costs_other_requests_nothing(cli: CliRunner) -> None:
    """30 requests at once; the engine, a decoder and a client are killed in the middle."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    wav = encode(clip(), "clip.wav")
    async with served(cli, "--preload", MODEL) as server:
        expected = (await server.client.post("/audio/transcriptions", json=spoken())).json()["text"]
        assert CLIP_WORDS in expected

        async def one(number: int) -> httpx2.Response:
            # A name of its own makes each a flight of its own.
            files = {"file": (f"{number}.wav", wav, "audio/wav")}
            return await server.client.post(
                "/audio/transcriptions", data={"model": MODEL}, files=files
            )

        path = cli.folder / "clip.wav"
        path.write_bytes(wav)
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CLIENT, server.url + PATH, server.key, str(path)),
            stderr=asyncio.subprocess.DEVNULL,
        )
        work = [asyncio.create_task(one(number)) for number in range(30)]
        seen = list[int]()

        def caught() -> bool:
            seen.extend(decoding(server))  # in one look: at the next one they may have ended
            return bool(seen)

        await until(caught, "a decoder")
        with suppress(ProcessLookupError):
            os.kill(chance.choice(seen), signal.SIGKILL)
        await until(lambda: sum(task.done() for task in work) >= 5, "the first answers")
        os.kill(running(server, ENGINE)[0], signal.SIGKILL)
        await until(lambda: sum(task.done() for task in work) >= 10, "more answers")
        if client.returncode is None:
            client.kill()
        await client.wait()
        answers = await asyncio.gather(*work)
        failed = [answer for answer in answers if answer.status_code != 200]
        assert len(failed) <= 1  # the one whose decoder was killed
        for answer in failed:
            assert answer.status_code == 503
            assert error_of(answer)["metadata"]["code"] == "decoder_killed"
        assert {a.json()["text"] for a in answers if a.status_code == 200} == {expected}
        await until(lambda: not decoding(server), "the end of every decoder")
        assert await server.end() == 0


@pytest.mark.skipif(
    not Path(AUDIO, "speech").is_dir(), reason="VOXGATE_AUDIO names no folder of recordings"
)
async def test_command_line_and_server_give_equal_words(cli: CliRunner) -> None:
    found = sorted(
        Path(AUDIO, "speech").glob("*.[fw][la][av]*"), key=lambda path: path.stat().st_size
    )[:2]  # the shortest: each is recognised three times
    assert found
    async with served(cli, "--preload", MODEL) as server:
        for path in found:
            local = cli.run("transcribe", "-m", MODEL, "-f", "json", path)
            with path.open("rb") as file:
                answer = await server.client.post(
                    "/audio/transcriptions", data={"model": MODEL}, files={"file": file}
                )
            far = ("--server", server.url, "--key", server.key)
            remote = await asyncio.to_thread(
                cli.run, "transcribe", "-m", MODEL, "-f", "json", *far, path
            )
            assert local.returncode == remote.returncode == 0, remote.stderr
            assert remote.stdout == local.stdout
            assert f'"text": "{answer.json()["text"]}"' in local.stdout


async def test_a_stream_goes_on_when_its_engine_is_killed(cli: CliRunner) -> None:
    """Eight windows of a real model: what was sent stays, and all of it is the whole text.

    Pauses of nine seconds end windows. Several utterances in one would be a loop, and be sampled.
    """
    utterance = np.concatenate([clip(), np.zeros(9 * RATE, np.int16)])
    body = recording(encode(np.concatenate([utterance] * 8), "x.flac"), model=MODEL, language="en")
    deltas, done, killed = list[str](), "", False
    async with served(cli) as server:
        plain = (await server.client.post("/audio/transcriptions", json=body)).json()["text"]
        streamed = {**body, "stream": True}
        async with server.client.stream("POST", "/audio/transcriptions", json=streamed) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    event = json.loads(line.removeprefix("data: "))
                    deltas.append(event.get("delta", ""))
                    done = event.get("text", "")
                if deltas and not killed:
                    os.kill(running(server, ENGINE)[0], signal.SIGKILL)
                    killed = True
        assert await server.end() == 0
    assert CLIP_WORDS in plain
    assert plain == "".join(deltas) == done
    assert len(list(filter(None, deltas))) >= 5
