"""The caller's side of the protocol, against a peer that says what it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from voxgate.engine.protocol import LINE_BYTES, Failure, Health, encode
from voxgate.errors import EngineBusyError, EngineError
from voxgate.providers.engine_client import BrokenOffError, EngineClient, NotListeningError
from voxgate.providers.running_engine import Watchdog
from voxgate.transcript.values import Delta, Done, Event, Options, Segment


def health(step_age_s: float) -> bytes:
    return Health(
        model="a/b", pid=1, state="working", active=1, queued=0, step_age_s=step_age_s, taken=1
    ).encode()


@asynccontextmanager
async def peer(body: bytes, status: int = 200) -> AsyncIterator[EngineClient]:
    """A client of an engine that answers everything with `body`."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"content-length: " in head.lower():
            size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(size))
        writer.write(b"HTTP/1.1 %d X\r\nConnection: close\r\n\r\n" % status + body)
        writer.close()
        await writer.wait_closed()

    with TemporaryDirectory() as folder:
        path = Path(folder) / "engine"
        server = await asyncio.start_unix_server(answer, path)
        client = EngineClient(path)
        yield client
        server.close()
        await server.wait_closed()


async def heard(client: EngineClient) -> list[Event]:
    return [event async for event in client.transcribe(b"\0\0", Options())]


async def test_events_end_with_done() -> None:
    events: list[Event] = [Delta("\x85 \u2028"), Segment("a", 0, 1), Done()]
    body = b"".join(map(encode, [*events, Delta("after the end")]))
    async with peer(body) as client:
        assert await heard(client) == events


@pytest.mark.parametrize("body", [b"", encode(Delta("a"))])
async def test_an_answer_without_an_end_is_broken_off(body: bytes) -> None:
    async with peer(body) as client:
        with pytest.raises(BrokenOffError):
            await heard(client)


@pytest.mark.parametrize("body", [b"hello\n", b"hello", b"x" * (LINE_BYTES + 1), b"\n"])
async def test_what_is_no_event_is_an_error(body: bytes) -> None:
    async with peer(body) as client:
        with pytest.raises(EngineError, match="malformed"):
            await heard(client)


async def test_a_failure_is_raised_whatever_the_status() -> None:
    body = encode(Failure.from_error(EngineBusyError("Full.")))
    for status in (200, 503):
        async with peer(body, status) as client:
            with pytest.raises(EngineBusyError, match=r"Full\."):
                await heard(client)


async def test_nobody_there(tmp_path: Path) -> None:
    client = EngineClient(tmp_path / "nothing")
    with pytest.raises(NotListeningError):
        await client.health()
    with pytest.raises(NotListeningError):
        await heard(client)


async def test_an_engine_that_takes_no_step_is_found() -> None:
    async with peer(health(step_age_s=40.0)) as client:
        assert await Watchdog(client, patience_s=2.0).watch() == "took no step for 40 s"


@pytest.mark.parametrize("body", [b"", b"fine, thanks"])
async def test_an_engine_that_gives_no_sign_is_found(body: bytes) -> None:
    async with peer(body) as client:
        assert "took no step" in await Watchdog(client, patience_s=0.2).watch()


async def test_an_engine_that_steps_is_left_alone() -> None:
    async with peer(health(step_age_s=0.1)) as client:
        watch = asyncio.create_task(Watchdog(client, patience_s=0.5).watch())
        done, _ = await asyncio.wait([watch], timeout=1.0)
        assert not done
        watch.cancel()
