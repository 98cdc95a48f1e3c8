"""Callers that send no request, half of one, or no HTTP: every connection ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from tests.api.serving import PATH, Running, recording, serving
from tests.processes import open_files, until
from tests.scripted import Scripted
from voxgate.api import server
from voxgate.api.connection import HEAD_BYTES, Connection
from voxgate.transcript.values import Done, Segment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from voxgate.audio.spool import Audio
    from voxgate.transcript.values import Event, Options

HEAD = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def key(running: Running) -> bytes:
    return b"Authorization: Bearer " + running.key.encode() + b"\r\n"


def message(running: Running, body: bytes) -> bytes:
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    return HEAD + JSON + key(running) + length + body


@asynccontextmanager
async def connected(
    running: Running, first: bytes = b"", kept_bytes: int = 0
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which these bytes were sent; `kept_bytes` is the receive buffer's size."""
    caller = socket.socket()
    if kept_bytes:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kept_bytes)
    caller.connect(("127.0.0.1", running.server.port))
    reader, writer = await asyncio.open_connection(sock=caller)
    writer.write(first)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def dribble(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send single bytes until the connection is closed."""
    with suppress(OSError):
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)


def error_in(answer: bytes) -> dict[str, object]:
    """The error in the last answer of these bytes."""
    head, _, body = answer.rpartition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    error: dict[str, object] = json.loads(body)["error"]
    return error


@pytest.mark.parametrize("first", [b"", HEAD])
async def test_a_connection_without_a_request_is_closed(
    first: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 0.3)
    async with serving(tmp_path) as running, connected(running, first) as (reader, writer):
        dribbling = asyncio.create_task(dribble(writer, b"X-Long: " + b"x" * 5000))
        with suppress(ConnectionResetError):
            await reader.read()
        dribbling.cancel()


async def test_a_caller_that_sends_after_an_early_response_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 0.3)
    body = HEAD + JSON + b"Content-Length: 1000000\r\n\r\n"
    async with serving(tmp_path) as running, connected(running, body) as (reader, writer):
        assert b" 401 " in await reader.readline()
        dribbling = asyncio.create_task(dribble(writer, b"x" * 5000))
        with suppress(ConnectionResetError):
            await reader.read()
        dribbling.cancel()


async def test_an_early_response_reaches_a_caller_that_sends_everything_first(
    tmp_path: Path,
) -> None:
    body = bytes(3_000_000)
    head = HEAD + JSON + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with serving(tmp_path) as running, connected(running, head) as (reader, writer):
        for start in range(0, len(body), 100_000):
            writer.write(body[start : start + 100_000])
            await writer.drain()
        assert b"authentication" in await reader.read()


async def test_long_requests_on_one_connection_are_not_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 1.0)
    provider = Scripted(gate=lambda _: asyncio.sleep(1.2))
    async with serving(tmp_path, provider) as running, connected(running) as (reader, writer):
        for _ in range(2):
            writer.write(message(running, json.dumps(recording()).encode()))
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("more", [0, 2_000_000])
async def test_bytes_that_are_not_http_get_the_shape_of_every_error(
    more: int, tmp_path: Path
) -> None:
    async with serving(tmp_path) as running:
        async with connected(running, b"\x16\x03\x01\r\n\r\n" + bytes(more)) as (reader, _):
            error = error_in(await reader.read())
        assert error["code"] == 400
        assert "HTTP client" in str(error["message"])


@pytest.mark.parametrize(("spare", "status"), [(0, b"401"), (-1, b"400")])
@pytest.mark.parametrize("padding", [b"X: y\r\n", b"X:" + b" " * 1000 + b"y\r\n"])
async def test_a_head_has_at_most_16_kib(
    padding: bytes, spare: int, status: bytes, tmp_path: Path
) -> None:
    end = b"Content-Length: 0\r\n\r\n"
    left = HEAD_BYTES - spare - len(HEAD + end + b"Y: \r\n")
    many, rest = divmod(left, len(padding))
    head = HEAD + padding * many + b"Y: " + b"z" * rest + b"\r\n" + end
    async with serving(tmp_path) as running, connected(running, head) as (reader, _):
        assert (await reader.readline()).split()[1] == status


@pytest.mark.parametrize(
    ("framing", "named"),
    [
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", "Content-Length"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length"),
        (b"Content-Length: 5\r\nContent-Length: 6", "framing"),
        (b"Transfer-Encoding: chunked, chunked", "framing"),
        (b"Transfer-Encoding: xchunked", "framing"),
    ],
)
async def test_a_request_with_two_framings_is_refused(
    framing: bytes, named: str, tmp_path: Path
) -> None:
    async with serving(tmp_path) as running:
        first = HEAD + JSON + key(running) + framing + b"\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        async with connected(running, first) as (reader, _):
            answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.count(b"\r\n\r\n") == 1  # what follows is no request
    assert named in str(error_in(answer)["message"])


async def test_a_refused_caller_does_not_disturb_the_servers_end(tmp_path: Path) -> None:
    """It keeps its connection open, of which h11 expects a response still."""
    framing = b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with contextlib.AsyncExitStack() as callers:
        async with serving(tmp_path) as running:
            request = HEAD + JSON + key(running) + framing
            reader, _ = await callers.enter_async_context(connected(running, request))
            assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert await reader.read() == b""


async def test_a_refused_caller_that_does_not_close_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 0.3)
    async with serving(tmp_path) as running, connected(running, b"?\r\n\r\n") as (reader, writer):
        await reader.read()
        await dribble(writer, b"x" * 5000)  # until it is refused for good
        assert writer.is_closing()


async def alone(
    application: Callable[..., Awaitable[None]],
) -> tuple[socket.socket, asyncio.BaseTransport, Connection]:
    """A caller's socket, and the connection that belongs to it, without a server around."""
    config = uvicorn.Config(application, http=Connection, log_config=None, lifespan="off")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        caller = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    transport, protocol = await asyncio.get_running_loop().connect_accepted_socket(
        lambda: Connection(config, ServerState(), {}), ours
    )
    return caller, transport, protocol


async def test_refusing_a_caller_that_has_disconnected() -> None:
    """Writing the refusal shows that the caller has disconnected."""

    async def nobody(scope: Any, receive: Any, send: Any) -> None:
        raise NotImplementedError

    caller, transport, protocol = await alone(nobody)
    transport.pause_reading()  # type: ignore[attr-defined]  # as while an answer is made
    caller.close()
    protocol.data_received(b"?\r\n\r\n")
    transport.resume_reading()  # type: ignore[attr-defined]
    await until(transport.is_closing, "the end")


async def test_broken_framing_during_a_response_ends_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, ended = asyncio.Event(), asyncio.Event()

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await broken.wait()
        await send({"type": "http.response.body", "body": b" and half"})
        ended.set()

    caller, transport, _ = await alone(answering)
    with caller:
        caller.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(caller, HEAD + CHUNKED)
        heard = b""
        while b"half" not in heard:
            heard += await loop.sock_recv(caller, 1000)
        await loop.sock_sendall(caller, b"zz\r\n")
        while await loop.sock_recv(caller, 1000):
            pass
        broken.set()
        await ended.wait()
    await until(transport.is_closing, "the end")
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
async def test_broken_framing_ends_a_body(
    expect: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as running:
        first = HEAD + JSON + key(running) + expect + CHUNKED + b"5\r\n{    \r\n"
        async with connected(running, first + b"zz\r\n") as (reader, _):
            assert error_in(await reader.read())["code"] == 400
            assert (await running.post(recording())).status_code == 200  # meanwhile it was read
        async with connected(running, first) as (reader, writer):
            assert (await running.post(recording())).status_code == 200  # meanwhile it is awaited
            writer.write(b"zz\r\n")
            assert error_in(await reader.read())["code"] == 400
    assert not [record for record in caplog.records if record.exc_info]


async def test_broken_framing_after_a_response_ends_the_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = HEAD + JSON + CHUNKED
    async with serving(tmp_path) as running, connected(running, first) as (reader, writer):
        assert b" 401 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"zz\r\n")
        assert b"authentication" in await reader.read()
    assert not [record for record in caplog.records if record.exc_info]


LONG = "x" * 12_000_000  # more than the kernel keeps for a caller who does not read


class Wordy(Scripted):
    async def transcribe(self, window: Audio, _: Options) -> AsyncGenerator[Event]:
        yield Segment(LONG, 0.0, window.duration_s)
        yield Done("en")


@pytest.mark.parametrize("count", [1, 2])
async def test_a_response_that_is_not_read_is_aborted(count: int, tmp_path: Path) -> None:
    async with serving(tmp_path, Wordy(), reader_patience_s=0.3) as running:
        asked = message(running, json.dumps(recording()).encode())
        await running.client.get("/key")  # the first one opens the ledger's connection
        before = open_files()
        with socket.socket() as caller:
            caller.connect(("127.0.0.1", running.server.port))
            caller.sendall(asked * count)
            await until(lambda: open_files() >= before + 2, "the connection's two ends")
            await until(lambda: open_files() <= before + 1, "the end of the server's")


@pytest.mark.parametrize("patience_s", [0.6, 30.0])
async def test_a_slow_reader_gets_all_of_a_response(
    patience_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_S", patience_s)
    async with serving(tmp_path, Wordy(), reader_patience_s=patience_s) as running:
        asked = message(running, json.dumps(recording()).encode())
        async with connected(running, asked, kept_bytes=1 << 16) as (reader, _):
            heard = bytearray(await reader.readuntil(b"\r\n\r\n"))
            while not heard.endswith(b"\r\n0\r\n\r\n"):
                heard += await reader.readexactly(1)
                heard += await reader.read(1 << 16)
                await asyncio.sleep(0.01)
    assert heard.count(b"x") >= len(LONG)
