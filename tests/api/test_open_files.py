"""Callers that open more connections than the process may open files."""

from __future__ import annotations

import asyncio
import json
import resource
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from tests.api.serving import recording, served, serving
from tests.api.test_connection import connected, message
from tests.processes import heed_signals, open_files, until
from tests.scripted import Scripted
from voxgate.api import open_files as limits

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.command import CliRunner

SOFT, HARD = 64, 256
FAILED = "no connection can be accepted now"


def few_files() -> None:
    heed_signals()
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, HARD))


async def test_idle_connections_beyond_the_limit_leave_room_for_a_request(cli: CliRunner) -> None:
    async with served(cli, before=few_files) as server, AsyncExitStack() as idle:
        pid = server.process.pid
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (HARD, HARD)
        for _ in range(HARD + 50):
            _, writer = await asyncio.open_connection("127.0.0.1", server.client.base_url.port)
            idle.callback(writer.close)
        assert (await server.client.get("/models", timeout=30)).status_code == 200
        assert open_files(pid) < HARD * 3 / 4
        assert not [line for line in server.said if FAILED in line or "Traceback" in line]


async def test_connections_that_cannot_be_accepted_are_logged_in_one_line(cli: CliRunner) -> None:
    async with served(cli, before=few_files) as server:
        pid, port = server.process.pid, server.client.base_url.port
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, HARD))
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: any(FAILED in line for line in server.said), "the line")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (HARD, HARD))
        assert (await server.client.get("/models", timeout=30)).status_code == 200
        writer.close()
        assert sum(FAILED in line for line in server.said) == 1
        assert not [line for line in server.said if "Traceback" in line]


async def test_a_connection_that_is_being_answered_is_not_closed_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_CONNECTIONS", 1)
    finish = asyncio.Event()
    provider = Scripted(gate=lambda _: finish.wait())
    async with serving(tmp_path, provider) as running, AsyncExitStack() as callers:

        async def call(sent: bytes) -> asyncio.StreamReader:
            reader, _ = await callers.enter_async_context(connected(running, sent))
            return reader

        asked = message(running, json.dumps(recording()).encode())
        idle = await call(b"")
        answered = await call(asked)
        await until(lambda: len(provider.windows) == 1, "the job")
        assert await idle.read() == b""
        refusal = await (await call(asked)).read()
        assert refusal.startswith(b"HTTP/1.1 503 ")
        finish.set()
        assert b" 200 " in await answered.readline()
