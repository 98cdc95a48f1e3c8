"""Servers in processes of their own, whose time, processor time and memory are measured."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import psutil

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

START_S = 120.0


@dataclass(frozen=True)
class MeasuredServer:
    """A server in its own process, and a client with its key."""

    process: psutil.Process
    client: httpx2.AsyncClient

    def processor_s(self) -> float:
        """Return the processor time of the process, without its children."""
        used = self.process.cpu_times()
        return float(used.user + used.system)

    def whole_processor_s(self) -> float:
        """Return the processor time of the process and of everything that it started."""
        children = []
        for each in self.process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended: its parent has it
                children.append(each.cpu_times())
        ended = [each.children_user + each.children_system for each in children]
        return self.processor_s() + sum(c.user + c.system for c in children) + sum(ended)


@asynccontextmanager
async def run_module(
    module: str,
    *arguments: object,
    root: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[MeasuredServer]:
    """Run a module of this package that prints its address and a key.

    `root` is the folder that it runs in, and `environment` is added to this process's.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        cwd=root,
        env={**os.environ, **(environment or {})},
    )
    async with _terminated(process):
        assert process.stdout is not None
        url, key = (await process.stdout.readline()).decode().split()
        async with _client(url, key) as client:
            yield MeasuredServer(psutil.Process(process.pid), client)


@asynccontextmanager
async def run_program(
    *command: str, port: int, key: str, ready: str, log: Path, environment: Mapping[str, str]
) -> AsyncIterator[MeasuredServer]:
    """Run a program that listens on a port, and wait until it answers the path `ready`."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, env=dict(environment)
        )
        async with _terminated(process), _client(f"http://127.0.0.1:{port}", key) as client:
            async with asyncio.timeout(START_S):
                while not await _answers(client, ready):
                    if process.returncode is not None:
                        raise RuntimeError(f"{command[0]} ended: {_end_of(log)}")
                    await asyncio.sleep(0.1)
            yield MeasuredServer(psutil.Process(process.pid), client)


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


async def _answers(client: httpx2.AsyncClient, path: str) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return (await client.get(path)).status_code == 200
    return False


@asynccontextmanager
async def _terminated(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _client(url: str, key: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=120,
        limits=httpx2.Limits(max_connections=200, max_keepalive_connections=200),
        transport=httpx2.AsyncHTTPTransport(retries=5),  # it may not listen yet
    )
