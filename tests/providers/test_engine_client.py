"""The caller's side of the protocol, with a scripted peer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.failures import raises
from voxgate.answers.values import Answered, AnswerEvent, Message, Question, TextPart
from voxgate.engine.protocol import LINE_BYTES, Failure, encode
from voxgate.errors import EngineError
from voxgate.providers.engine_client import BrokenOffError, EngineClient, NotListeningError
from voxgate.transcript.values import Delta, Done, Event, Options, Segment


@asynccontextmanager
async def peer(body: bytes, status: int = 200) -> AsyncIterator[EngineClient]:
    """Yield a client of an engine whose every response is `body`."""

    connections: list[asyncio.Task[None]] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            connections.append(task)
        with suppress(ConnectionError):  # the client closes a response that it does not need
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"content-length: " in head.lower():
                    size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                    await reader.readexactly(int(size))
                writer.write(b"HTTP/1.1 %d X\r\nConnection: close\r\n\r\n" % status + body)
            finally:
                writer.close()
                await writer.wait_closed()

    with TemporaryDirectory() as folder:
        path = Path(folder) / "engine"
        server = await asyncio.start_unix_server(respond, path)
        client = EngineClient(path)
        yield client
        server.close()
        await server.wait_closed()
        await asyncio.gather(*connections)  # Python 3.11's `wait_closed` does not wait for them


async def transcribed(client: EngineClient) -> list[Event]:
    return [event async for event in client.transcribe(b"\0\0", Options())]


async def test_events_end_with_done() -> None:
    events: list[Event] = [Delta("\x85 \u2028"), Segment("a", 0, 1), Done()]
    body = b"".join(map(encode, [*events, Delta("after the end")]))
    async with peer(body) as client:
        assert await transcribed(client) == events


async def answered(client: EngineClient) -> list[AnswerEvent]:
    question = Question((Message("user", (TextPart("What?"),)),))
    return [event async for event in client.answer(question, b"")]


async def test_an_answer_ends_with_answered() -> None:
    events: list[AnswerEvent] = [Delta(" a "), Answered("length", 5, 3, 0, 17)]
    body = b"".join(map(encode, [*events, Delta("after the end")]))
    async with peer(body) as client:
        assert await answered(client) == events


@pytest.mark.parametrize("last", [Done(), Segment("a", 0, 1)])
async def test_an_answer_is_no_transcript_and_a_transcript_no_answer(last: Event) -> None:
    async with peer(encode(last)) as client:
        with pytest.raises(EngineError, match="with a transcript"):
            await answered(client)
    async with peer(encode(Answered("stop", 5, 3))) as client:
        with pytest.raises(EngineError, match="nobody asked"):
            await transcribed(client)


@pytest.mark.parametrize("body", [b"", encode(Delta("a"))])
async def test_a_response_without_an_end_is_broken_off(body: bytes) -> None:
    async with peer(body) as client:
        with pytest.raises(BrokenOffError):
            await transcribed(client)


@pytest.mark.parametrize("body", [b"hello\n", b"hello", b"x" * (LINE_BYTES + 1), b"\n"])
async def test_a_malformed_event_is_an_error(body: bytes) -> None:
    async with peer(body) as client:
        with pytest.raises(EngineError, match="malformed"):
            await transcribed(client)


async def test_a_failure_is_raised_whatever_the_status() -> None:
    body = encode(Failure.from_error(EngineError("Full.", code="engine_busy")))
    for status in (200, 503):
        async with peer(body, status) as client:
            with raises("engine_busy", match=r"Full\."):
                await transcribed(client)


async def test_no_listener(tmp_path: Path) -> None:
    client = EngineClient(tmp_path / "nothing")
    with pytest.raises(NotListeningError):
        await client.health()
    with pytest.raises(NotListeningError):
        await transcribed(client)
