"""`EngineClient`: the engine's protocol from the caller's side, on a Unix socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from voxgate.engine import protocol
from voxgate.errors import EngineError
from voxgate.transcript.values import Done, Event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from voxgate.transcript.values import Options


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
        self._http = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(
                uds=str(socket),
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
            ),
            base_url="http://engine",
            timeout=None,
            trust_env=False,
        )

    async def health(self) -> protocol.Health:
        """How the engine is."""
        try:
            response = await self._http.get(protocol.HEALTH_ROUTE)
        except httpx2.ConnectError as error:
            raise NotListeningError from error
        except httpx2.TransportError as error:
            raise BrokenOffError from error
        return protocol.Health.decode(response.content)

    async def transcribe(self, pcm16: bytes, options: Options) -> AsyncGenerator[Event, None]:
        """The window's events, `Done` the last. Closing the iterator closes the connection."""
        request = self._http.build_request(
            "POST",
            protocol.TRANSCRIBE_ROUTE,
            content=pcm16,
            headers={protocol.OPTIONS_HEADER: protocol.encode_options(options)},
        )
        try:
            response = await self._http.send(request, stream=True)
            try:
                async for line in _lines(response):
                    event = protocol.decode(line)
                    if isinstance(event, protocol.Failure):
                        raise event.error()
                    yield event
                    if isinstance(event, Done):
                        return
            finally:
                await response.aclose()
        except httpx2.ConnectError as error:
            raise NotListeningError from error
        except httpx2.TransportError as error:
            raise BrokenOffError from error
        raise BrokenOffError

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Whole lines. A line of `protocol.LINE_BYTES` and no end is an `EngineError`."""
    rest = b""
    async for part in response.aiter_bytes():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > protocol.LINE_BYTES:
            raise EngineError("The engine's events are malformed: a line has no end.")
    if rest:
        yield rest
