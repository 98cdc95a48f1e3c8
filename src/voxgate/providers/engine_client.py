"""`EngineClient`: the engine's protocol from the caller's side, on a Unix socket.

On h11 and asyncio's own streams, not on httpx: closing a connection in the middle of a read is what
this client is for, and anyio's Unix streams, which httpx stands on, report a callback's error
whenever a read is cancelled in the moment in which its data arrives.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import h11

from voxgate.engine import protocol
from voxgate.errors import EngineError
from voxgate.transcript.values import Done, Event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from voxgate.transcript.values import Options

READ_BYTES = 64 * 1024


class NotListeningError(Exception):
    """No engine takes connections there; nothing was given to it."""


class BrokenOffError(Exception):
    """The connection ended before the answer did."""


class EngineClient:
    """Calls to one engine, a connection each, so that closing one cancels exactly one.

    Without timeouts: whether an engine still works is the watchdog's question. Besides
    `VoxgateError` raises `NotListeningError` and `BrokenOffError`, whose meaning the owner of the
    process knows.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def health(self) -> protocol.Health:
        """How the engine is."""
        async with aclosing(self._call("GET", protocol.HEALTH_ROUTE)) as parts:
            return protocol.Health.decode(b"".join([part async for part in parts]))

    async def transcribe(self, pcm16: bytes, options: Options) -> AsyncGenerator[Event, None]:
        """The window's events, `Done` the last. Closing the iterator closes the connection."""
        head = {protocol.OPTIONS_HEADER: protocol.encode_options(options)}
        async with (
            aclosing(self._call("POST", protocol.TRANSCRIBE_ROUTE, head, pcm16)) as parts,
            aclosing(_lines(parts)) as lines,
        ):
            async for line in lines:
                event = protocol.decode(line)
                if isinstance(event, protocol.Failure):
                    raise event.to_error()
                yield event
                if isinstance(event, Done):
                    return
        raise BrokenOffError

    async def _call(
        self, method: str, route: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> AsyncGenerator[bytes, None]:
        """The answer's body as it arrives, whatever its status: failures are lines too."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except (FileNotFoundError, ConnectionError) as error:
            raise NotListeningError from error
        except OSError as error:  # too many open files, for one
            raise EngineError(f"The engine's socket cannot be opened ({error}).") from error
        fields = {"Host": "engine", "Connection": "close", "Content-Length": str(len(body))}
        request = h11.Request(
            method=method, target=route, headers=list((fields | (headers or {})).items())
        )
        http = h11.Connection(h11.CLIENT)
        try:
            for part in (request, h11.Data(data=body), h11.EndOfMessage()):
                writer.write(http.send(part) or b"")
            while not isinstance(event := await _next(http, reader), h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
        except (OSError, h11.RemoteProtocolError) as error:
            raise BrokenOffError from error
        finally:
            writer.transport.abort()  # also what is not yet sent


async def _next(http: h11.Connection, reader: asyncio.StreamReader) -> h11.Event:
    while (event := http.next_event()) is h11.NEED_DATA:
        http.receive_data(await reader.read(READ_BYTES))
    if not isinstance(event, h11.Event):
        raise h11.RemoteProtocolError("the connection was paused")
    return event


async def _lines(parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Whole lines. A line of `protocol.LINE_BYTES` and no end is an `EngineError`."""
    rest = b""
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > protocol.LINE_BYTES:
            raise EngineError("The engine's events are malformed: a line has no end.")
    if rest:
        yield rest
