"""`call`: send the bytes of a `Line`, and read the responses."""

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
MORE_S = 0.5  # for responses that are optional
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection


@dataclass(frozen=True)
class RawResponse:
    """One complete response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class NoResponseError(Exception):
    """The connection ended or stalled where a response was due."""


async def call(port: int, line: Line, patience_s: float) -> list[RawResponse]:
    """Send a line, and return the due response and any further one. Raises `NoResponseError`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(_send(writer, line))
    try:
        async with asyncio.timeout(patience_s):
            return await _read_responses(_ResponseReader(reader), sending, line)
    except TimeoutError as error:
        raise NoResponseError(f"no response within {patience_s:g} s") from error
    except h11.RemoteProtocolError as error:
        raise NoResponseError(f"no complete response: {error}") from error
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        with contextlib.suppress(OSError):  # the server has closed it
            if line.ending == "resets":
                end = writer.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.close()
            await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, line: Line) -> None:
    with contextlib.suppress(OSError):  # the server has closed it: its response counts
        for piece in line.pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(line.pause_s)
        if line.ending == "half-closes":
            writer.write_eof()


async def _read_responses(
    reader: _ResponseReader, sending: asyncio.Task[None], line: Line
) -> list[RawResponse]:
    responses = []
    if line.expects_response:
        responses.append(await reader.response())
    else:
        await sending
    if line.has_more or line.ending == "half-closes":
        with contextlib.suppress(NoResponseError, TimeoutError, h11.RemoteProtocolError):
            async with asyncio.timeout(MORE_S):
                responses.append(await reader.response())
    return responses


class _ResponseReader:
    """Reads one response after another from one connection."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._rest = b""  # bytes after the last response

    async def response(self) -> RawResponse:
        """Read the next response. Raises `NoResponseError` if the connection ends first."""
        view = h11.Connection(h11.CLIENT)  # for a valid request, whatever was really sent
        view.send(h11.Request(method="POST", target="/", headers=[("Host", "x")]))
        view.send(h11.EndOfMessage())
        if self._rest:
            view.receive_data(self._rest)
        start: h11.Response | None = None
        body = b""
        while not isinstance(event := view.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                view.receive_data(await self._bytes(before_start=start is None))
            elif isinstance(event, h11.Response):
                start = event
            elif isinstance(event, h11.Data):
                body += event.data
        assert start is not None
        self._rest = view.trailing_data[0]
        return RawResponse(start.status_code, list(start.headers), body)

    async def _bytes(self, *, before_start: bool) -> bytes:
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError as error:
            raise NoResponseError("the connection was reset in the middle of a response") from error
        if before_start and not data:
            raise NoResponseError("the connection was closed without a response")
        return data
