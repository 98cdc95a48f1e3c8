"""Real servers on the loopback: a scripted one in the test's loop, and `voxgate serve`."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx2

from tests.processes import heed_signals, open_paths, scratch_files, until
from tests.scripted import Scripted
from tests.sounds import SAMPLE
from voxgate.api.server import ApiServer
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger
from voxgate.models.catalogue import BUILT_IN_MODELS, ModelSpec
from voxgate.pipeline.session import Session
from voxgate.providers.local import LocalEngine
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.cli.command import CliRunner
    from voxgate.api.app import Pages
    from voxgate.canaries.schedule import Wait

SCRIPTED = "scripted/one"
ALIAS = "scripted/latest"  # stands for it
DEFAULT = "default"  # as well
ABSENT = "scripted/absent"
PATH = "/api/v1/audio/transcriptions"
FILE = {"file": ("note.flac", SAMPLE.read_bytes(), "audio/flac")}


def model_spec(name: str, provider: Scripted, distributions: tuple[str, ...] = ()) -> ModelSpec:
    return ModelSpec(
        name=name,
        title="Scripted: One",
        released=date(2026, 1, 1),
        summary="Answers by a script.",
        licence="Apache-2.0",
        capabilities=provider.capabilities,
        loader="",
        distributions=distributions,
    )


class ModelsWithAlias(dict[str, ModelSpec]):
    """Models by name and, as in `AvailableModels`, by an alias on lookup."""

    def __missing__(self, name: str) -> ModelSpec:
        if name in {ALIAS, DEFAULT}:
            return self[SCRIPTED]
        raise KeyError(name)


@dataclass
class Running:
    """A server that accepts requests."""

    url: str
    key: str
    provider: Scripted
    settings: Settings
    server: ApiServer
    client: httpx2.AsyncClient  # with the key, below /api/v1

    async def post(self, body: dict[str, Any], **options: Any) -> httpx2.Response:
        return await self.client.post("/audio/transcriptions", json=body, **options)


async def new_key(server: Running, name: str, **fields: Any) -> str:
    """Return a new key of the server, made as by the command line: in the ledger."""
    async with await Ledger.open(server.settings.home / LEDGER_FILE) as ledger:
        return (await ledger.keys.create(name, **fields))[1]


def with_key(secret: str) -> dict[str, str]:
    """Return the header of a request with this key."""
    return {"Authorization": f"Bearer {secret}"}


def recording(data: bytes | None = None, /, **fields: Any) -> dict[str, Any]:
    """Return the body of a JSON request with the sample, or with these bytes."""
    data = SAMPLE.read_bytes() if data is None else data
    audio = {"data": base64.b64encode(data).decode(), "format": "flac"}
    return {"model": SCRIPTED, "input_audio": audio, **fields}


def error_of(response: httpx2.Response) -> dict[str, Any]:
    """Return the error in a response, after checking its shape (openrouter-api.md 3.1)."""
    assert response.headers["content-type"].startswith("application/json")
    body: dict[str, Any] = json.loads(response.content)
    error: dict[str, Any] = body["error"]
    assert type(error["code"]) is int
    assert error["message"]
    assert "Traceback" not in error["message"]
    assert error["metadata"]["error_type"]
    return error


@asynccontextmanager
async def serving(
    folder: Path,
    provider: Scripted | None = None,
    session: Callable[[Settings], Session] | None = None,
    wait: Wait = asyncio.sleep,
    pages: Pages = lambda *_: None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """Serve a scripted provider and the built-in model, or what `session` returns.

    `wait` is the server's clock between two rounds of canaries; `pages` adds those for people.
    """
    scripted = provider or Scripted()
    spool = folder / "spool"
    chosen = replace(Settings(), home=folder / "home", spool_dir=spool, **settings)
    models = {
        SCRIPTED: model_spec(SCRIPTED, scripted),
        ABSENT: model_spec(ABSENT, scripted, ("no-such-dist",)),
    }

    def scripted_session(limited: Settings) -> Session:
        return Session(
            limited,
            models=ModelsWithAlias({**BUILT_IN_MODELS, **models}),
            start=lambda spec, s: scripted if spec.name == SCRIPTED else LocalEngine(spec, s),
        )

    server = ApiServer(
        chosen,
        host="127.0.0.1",
        port=0,
        session=session or scripted_session,
        wait=wait,
        pages=pages,
    )
    ready, keys = asyncio.Event(), list[str]()
    task = asyncio.create_task(server.run(ready=ready.set, first_key=keys.append))
    started = asyncio.create_task(ready.wait())
    await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    if task.done():
        await task
    key = keys[0] if keys else ""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx2.AsyncClient(
            base_url=f"{server.url}/api/v1", headers=headers, timeout=300
        ) as client:
            yield Running(server.url, key, scripted, chosen, server, client)
    finally:
        server.stop()
        server.stop()
        await task


class Gate:
    """Blocks a scripted provider until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    def __call__(self, _: int) -> Any:
        return self.open.wait()


async def send_partial(
    server: Running, data: bytes, length: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send the first bytes of a JSON body of this length."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
    writer.write(
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    writer.write(data)
    return reader, writer


async def post_and_disconnect(server: Running, body: dict[str, Any], provider: Scripted) -> None:
    """Post, and close the connection when the provider is running."""
    data = json.dumps(body).encode()
    _, writer = await send_partial(server, data, len(data))
    await until(lambda: provider.running == 1, "the provider's work")
    writer.close()
    await writer.wait_closed()


def spool_files(server: Running) -> int:
    """Return how many recordings and decoded sounds the server has open, in memory or on disk."""
    return len(scratch_files(server.settings.spool_dir))


def open_below(folder: Path) -> int:
    """Return how many files of a folder this process has open."""
    return sum(str(folder) in path for path in open_paths())


@dataclass
class Served:
    """`voxgate serve` in a process of its own."""

    process: asyncio.subprocess.Process
    url: str
    key: str
    client: httpx2.AsyncClient
    said: list[str]  # lines of its standard error

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and wait for its exit code."""
        self.process.send_signal(number)
        return await self.process.wait()


@asynccontextmanager
async def served(
    cli: CliRunner, *arguments: str, before: Callable[[], None] = heed_signals, **settings: str
) -> AsyncIterator[Served]:
    """Start the command, and kill it at the end if it still runs.

    `before` is called in its process before its program.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voxgate", "serve", "--port", "0", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=cli.environment | settings,
        cwd=cli.folder,
        start_new_session=True,
        preexec_fn=before,
    )
    said, written = list[str](), list[str]()
    assert process.stdout is not None
    assert process.stderr is not None
    reading = asyncio.gather(_read(process.stdout, written), _read(process.stderr, said))
    try:
        await until(
            lambda: process.returncode is not None or _shown("listening on ", said) != "", ""
        )
        url = _shown("listening on ", said).removesuffix("/api/v1")
        assert url, said
        if _shown("the first key was ", said):
            await until(lambda: written != [], "the first key")
        key = written[0] if written else ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with httpx2.AsyncClient(
            base_url=f"{url}/api/v1", headers=headers, timeout=300, limits=httpx2.Limits()
        ) as client:
            yield Served(process, url, key, client, said)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def _read(stream: asyncio.StreamReader, said: list[str]) -> None:
    while line := await stream.readline():
        said.append(line.decode().rstrip())


def _shown(before: str, said: list[str]) -> str:
    lines = [line.partition(before)[2].split()[0] for line in said if before in line]
    return lines[0] if lines else ""
