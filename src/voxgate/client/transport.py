"""`Transport`: HTTP requests to one server, their limits, and their errors."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2

from voxgate._version import __version__
from voxgate.client.errors import connection_error, interrupted_error, no_reply_error
from voxgate.client.reply import Reply
from voxgate.errors import ServerError, UsageError
from voxgate.http_environment import reading_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.client.address import Address
    from voxgate.client.request import JsonUpload


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """Limits on the time and memory of one request.

    The total time has no limit: a server that keeps sending bytes may work for days.
    """

    connect_s: float = 10.0
    block_s: float = 60.0  # until the server has received the next block of the recording
    response_s: float = 15 * 60.0  # until the first byte of the response
    silence_s: float = 60.0  # between bytes of the response
    response_bytes: int = 2**28  # the words of a week


EVENTS = "text/event-stream"
FILLER = b" \t\r\n"  # white space of JSON


class Transport:
    """An HTTP client that opens a new connection for every request.

    A server may close a kept connection at the moment of its next use. Then the client cannot know
    whether the server has received the request.
    """

    def __init__(self, address: Address, key: str | None, limits: TransportLimits) -> None:
        self._address, self._key, self._limits = address, key, limits
        single = httpx2.Limits(max_keepalive_connections=0)
        with reading_environment(UsageError, "the server's name"):
            self._client = httpx2.AsyncClient(
                # With an explicit transport, httpx2 does not use the environment's proxy.
                transport=httpx2.AsyncHTTPTransport(limits=single) if address.is_loopback else None,
                limits=single,
                timeout=httpx2.Timeout(
                    connect=limits.connect_s,
                    write=limits.block_s,
                    read=limits.response_s,
                    pool=None,
                ),
                headers=_headers(key),
            )

    async def send(
        self,
        path: str,
        body: JsonUpload | None = None,
        on_line: Callable[[bytes], None] | None = None,
    ) -> Reply:
        """Send GET, or POST with a body, and return the reply. Redirects are not followed.

        `on_line` is called with each line of a stream of events, whose reply then has no data.
        Raises `ServerError` without a complete reply, and the errors of reading the recording.
        """
        if self._client.is_closed:
            raise UsageError(
                "This session was closed. Open another: `async with RemoteSession(...)`."
            )
        response = None
        try:
            async with self._client.stream(
                "GET" if body is None else "POST",
                self._address.to(path),
                content=body,
                headers=_body_headers(body),
            ) as response:
                if on_line and response.headers.get("content-type", "").startswith(EVENTS):
                    data = await self._read_lines(response, on_line)
                else:
                    data = await self._read_body(response)
        except (httpx2.RequestError, TimeoutError) as error:
            raise self._error_for(error, body, begun=response is not None) from error
        return Reply(
            server=str(self._address),
            status=response.status_code,
            headers=dict(response.headers),
            data=data,
            key=self._key,
        )

    async def aclose(self) -> None:
        """Close the client. More calls have no effect."""
        await self._client.aclose()

    async def _read_body(self, response: httpx2.Response) -> bytes:
        """Read the body, without the white space before it that keeps the connection alive."""
        loop, data, limit = asyncio.get_running_loop(), bytearray(), self._limits.response_bytes
        async with asyncio.timeout(self._limits.silence_s) as silence:
            async for part in response.aiter_bytes():
                silence.reschedule(loop.time() + self._limits.silence_s)
                data += part if data else part.lstrip(FILLER)
                if len(data) > limit:
                    raise ServerError(
                        f"{self._address} responds with more than {limit / 1e6:,.0f} MB. No "
                        f"transcript is so long."
                    )
        return bytes(data)

    async def _read_lines(
        self, response: httpx2.Response, on_line: Callable[[bytes], None]
    ) -> bytes:
        """Hand on each line of a stream as it comes. Return no data."""
        loop, rest, limit = asyncio.get_running_loop(), b"", self._limits.response_bytes
        async with asyncio.timeout(self._limits.silence_s) as silence:
            async for part in response.aiter_bytes():
                silence.reschedule(loop.time() + self._limits.silence_s)
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    on_line(line.rstrip(b"\r"))
                if len(rest) > limit:
                    raise ServerError(
                        f"{self._address} sends a line of more than {limit / 1e6:,.0f} MB. No "
                        f"answer is so long."
                    )
        return b""

    def _error_for(self, error: Exception, body: JsonUpload | None, *, begun: bool) -> ServerError:
        if begun:
            return interrupted_error(error, self._address, self._limits)
        return connection_error(error, self._address, self._limits) or no_reply_error(
            error, self._address, self._limits, body
        )


def _headers(key: str | None) -> dict[str, str]:
    headers = {
        "User-Agent": f"voxgate/{__version__}",
        "Accept": "application/json",
        # A proxy that compresses would hold back the single spaces that keep the connection alive.
        "Accept-Encoding": "identity",
    }
    return headers | ({"Authorization": f"Bearer {key}"} if key else {})


def _body_headers(body: JsonUpload | None) -> dict[str, str]:
    if body is None:
        return {}
    return {"Content-Type": "application/json", "Content-Length": str(body.length)}
