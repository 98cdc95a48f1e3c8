"""A Wyoming server in the test's loop, and what its clients send, by the library that they use."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error

from tests.api.serving import SCRIPTED, ModelsWithAlias, model_spec
from tests.scripted import Scripted
from tests.sounds import RATE
from voxgate.api.wyoming.server import WyomingServer
from voxgate.pipeline.session import Session
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from wyoming.event import Event

    from tests.sounds import Pcm

CHUNK_BYTES = 2048  # Home Assistant sends 64 ms at a time


@dataclass
class Listening:
    """A server that accepts connections, with a scripted model."""

    server: WyomingServer
    provider: Scripted
    settings: Settings
    task: asyncio.Task[None]

    def client(self) -> AsyncTcpClient:
        return AsyncTcpClient("127.0.0.1", self.server.port, read_timeout=300)

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.server.port)


@asynccontextmanager
async def listening(
    folder: Path, provider: Scripted | None = None, **settings: Any
) -> AsyncIterator[Listening]:
    scripted = provider or Scripted()
    chosen = replace(Settings(), home=folder / "home", spool_dir=folder / "spool", **settings)
    models = ModelsWithAlias({SCRIPTED: model_spec(SCRIPTED, scripted)})

    def session(limited: Settings) -> Session:
        return Session(limited, models=models, start=lambda *_: scripted)

    server = WyomingServer(chosen, uri="tcp://127.0.0.1:0", session=session)
    ready = asyncio.Event()
    task = asyncio.create_task(server.run(ready=ready.set))
    await ready.wait()
    try:
        yield Listening(server, scripted, chosen, task)
    finally:
        server.stop()
        server.stop()
        await task


def recording(
    samples: Pcm | bytes, rate: int = RATE, width: int = 2, channels: int = 1
) -> Iterator[Event]:
    """The events of a recording, as Home Assistant sends them."""
    sound = samples if isinstance(samples, bytes) else samples.astype("<i2").tobytes()
    yield AudioStart(rate=rate, width=width, channels=channels).event()
    for start in range(0, len(sound), CHUNK_BYTES):
        part = sound[start : start + CHUNK_BYTES]
        yield AudioChunk(rate=rate, width=width, channels=channels, audio=part).event()
    yield AudioStop().event()


async def say(
    client: AsyncTcpClient, samples: Pcm | bytes, language: str | None = None, **form: int
) -> None:
    """Send a voice command."""
    await client.write_event(Transcribe(language=language).event())
    for event in recording(samples, **form):
        await client.write_event(event)


async def answers(client: AsyncTcpClient) -> list[Event]:
    """The events up to the transcript, an error, or the end."""
    found: list[Event] = []
    while event := await client.read_event():
        found.append(event)
        if Transcript.is_type(event.type) or Error.is_type(event.type):
            break
    return found


async def heard(client: AsyncTcpClient) -> Transcript:
    """The transcript that comes, as Home Assistant waits for it."""
    last = (await answers(client))[-1]
    assert Transcript.is_type(last.type), last
    return Transcript.from_event(last)


async def refused(client: AsyncTcpClient) -> Error:
    """The error that comes, after which the connection ends."""
    last = (await answers(client))[-1]
    assert Error.is_type(last.type), last
    assert await client.read_event() is None
    return Error.from_event(last)
