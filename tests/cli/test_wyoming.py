"""`voxgate wyoming` as its users run it: a process, a real model, real speech, signals."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe, Info

from tests.api.wyoming.clients import heard, say
from tests.cli.command import CLIP_WORDS, clip
from tests.failures import raises
from tests.processes import DEADLINE_S, descendants, heed_signals, until
from tests.sounds import ffmpeg, real_speech
from tests.whisper.weights import whisper_folder
from voxgate.cli.wyoming import wyoming_command

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cli.command import CliRunner


@asynccontextmanager
async def wyoming(
    cli: CliRunner, *arguments: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int, list[str]]]:
    """Start the command; yield its process, its port, and what it said until it listened."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voxgate", "wyoming", "--uri", "tcp://127.0.0.1:0", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=cli.environment,
        cwd=cli.folder,
        start_new_session=True,
        preexec_fn=heed_signals,
    )
    assert process.stderr is not None
    said = list[str]()
    port = None
    try:
        async with asyncio.timeout(DEADLINE_S):
            while port is None:
                said.append((await process.stderr.readline()).decode())
                assert said[-1], said
                port = re.search(r"listening on tcp://127.0.0.1:(\d+); ", said[-1])
        yield process, int(port[1]), said
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_home_assistant_hears_real_speech(cli: CliRunner) -> None:
    """Its sequence, twice on connections of their own, with the built-in model."""
    whisper_folder()
    speech = real_speech() / "jfk.flac"
    out = ffmpeg("-i", str(speech), "-f", "s16le", "-ac", "1", "-ar", "16000", "out.raw")
    async with wyoming(cli) as (process, port, _):
        async with AsyncTcpClient("127.0.0.1", port, read_timeout=DEADLINE_S) as client:
            await client.write_event(Describe().event())
            event = await client.read_event()
        assert event
        (model, *_) = Info.from_event(event).asr[0].models
        assert model.name == "Systran/faster-whisper-base"
        assert model.installed
        assert {"en", "de", "ja"} < set(model.languages)
        assert model.attribution.url == "https://huggingface.co/Systran/faster-whisper-base"
        async with AsyncTcpClient("127.0.0.1", port, read_timeout=DEADLINE_S) as client:
            await say(client, out, "en")
            assert "your country" in (await heard(client)).text
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def is_engine(pid: int) -> bool:
    try:
        return b"voxgate.engine" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return False


async def test_a_signal_lets_a_recording_end_and_leaves_nothing(cli: CliRunner) -> None:
    whisper_folder()
    async with (
        wyoming(cli) as (process, port, _),
        AsyncTcpClient("127.0.0.1", port, read_timeout=DEADLINE_S) as client,
    ):
        await say(client, np.concatenate([clip()] * 3))
        await until(lambda: any(map(is_engine, descendants(process.pid))), "its engine")
        family = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        assert CLIP_WORDS in (await heard(client)).text
        assert await process.wait() == 0
    await until(lambda: not any(map(descendants, family)), "the end of its children")


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (("--uri", "unix:///tmp/a"), {}, "Write it as tcp://127.0.0.1:10300."),
        (("--uri", "tcp://192.0.2.1:10300"), {}, "address"),
        (("-m", "Systran/faster-whisper-bass"), {}, "Systran/faster-whisper-base"),
        ((), {"VOXGATE_MODEL_ALIASES": "a = whisper-bass"}, "'a' is 'whisper-bass' by"),
        ((), {"VOXGATE_PRICES": "whisper-bass = 1/hour"}, "'prices' lists 'whisper-bass'"),
    ],
)
def test_a_server_that_cannot_start_fails_at_once(
    cli: CliRunner, arguments: tuple[str, ...], settings: dict[str, Any], says: str
) -> None:
    result = cli.run("wyoming", *arguments, **settings)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_without_the_library_the_command_names_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VOXGATE_HOME", str(tmp_path))
    monkeypatch.setattr("voxgate.cli.wyoming.find_spec", lambda _: None)
    with raises("invalid_request", match=r"needs the package wyoming: `.*install.*"):
        wyoming_command()
