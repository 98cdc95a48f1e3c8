"""`call`: send a line's bytes as they are, and hear what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h11

if TYPE_CHECKING:
    from tests.api.mutations.line import Line

READ_BYTES = 1 << 16
MORE_S = 0.5  # for answers that may come or not
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection


@dataclass(frozen=True)
class Heard:
    """One answer, whole."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class NoAnswerError(Exception):
    """The connection ended, or nothing came, where an answer was owed."""


async def call(port: int, line: Line, patience_s: float) -> list[Heard]:
    """Send it; the answer that it is owed, and any other that comes. Raises `NoAnswerError`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(_send(writer, line))
    try:
        async with asyncio.timeout(patience_s):
            return await _hear(_Ear(reader), sending, line)
    except TimeoutError as error:
        raise NoAnswerError(f"no answer within {patience_s:g} s") from error
    except h11.RemoteProtocolError as error:
        raise NoAnswerError(f"no whole answer: {error}") from error
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        with contextlib.suppress(OSError):  # the server has closed it
            if line.ending == "resets":
                end = writer.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            writer.close()
            await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, line: Line) -> None:
    with contextlib.suppress(OSError):  # the server has closed it: what it said before counts
        for piece in line.pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(line.pause_s)
        if line.ending == "shuts half":
            writer.write_eof()


async def _hear(ear: _Ear, sending: asyncio.Task[None], line: Line) -> list[Heard]:
    heard = []
    if line.is_owed_an_answer:
        heard.append(await ear.answer())
    else:
        await sending
    if line.goes_on or line.ending == "shuts half":
        with contextlib.suppress(NoAnswerError, TimeoutError, h11.RemoteProtocolError):
            async with asyncio.timeout(MORE_S):
                heard.append(await ear.answer())
    return heard


class _Ear:
    """One answer after another, from one connection."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._rest = b""  # of the last answer's bytes

    async def answer(self) -> Heard:
        """The next one. Raises `NoAnswerError` where the connection ends before its end."""
        view = h11.Connection(h11.CLIENT)  # of a request that is sent, whatever was sent in truth
        view.send(h11.Request(method="POST", target="/", headers=[("Host", "x")]))
        view.send(h11.EndOfMessage())
        if self._rest:
            view.receive_data(self._rest)
        start: h11.Response | None = None
        body = b""
        while not isinstance(event := view.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                view.receive_data(await self._bytes(nothing_yet=start is None))
            elif isinstance(event, h11.Response):
                start = event
            elif isinstance(event, h11.Data):
                body += event.data
        assert start is not None
        self._rest = view.trailing_data[0]
        return Heard(start.status_code, list(start.headers), body)

    async def _bytes(self, *, nothing_yet: bool) -> bytes:
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError as error:
            raise NoAnswerError("the connection was reset in the middle of an answer") from error
        if nothing_yet and not data:
            raise NoAnswerError("the connection was closed without an answer")
        return data
