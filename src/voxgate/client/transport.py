"""`Transport`: the way to one server, and what may happen on it between a request and its reply."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2

from voxgate._version import __version__
from voxgate.client.errors import connection_error, interrupted_error, no_reply_error
from voxgate.client.reply import Reply
from voxgate.errors import ServerError, UsageError

if TYPE_CHECKING:
    from voxgate.client.address import Address
    from voxgate.client.request import TranscriptionUpload


# `TransportLimits`: what a server may take of its caller's time and memory.


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """The work itself has no limit: a server that gives signs of life may take days."""

    connect_s: float = 10.0
    block_s: float = 60.0  # until it has taken the next part of the recording
    answer_s: float = 15 * 60.0  # until the answer's first byte
    silence_s: float = 60.0  # from byte to byte of the answer
    answer_bytes: int = 2**28  # the words of a week


FILLER = b" \t\r\n"  # JSON's own


class Transport:
    """Every request has a connection of its own.

    A kept one may be closed by the server in the moment in which it is used again, and nobody knows
    then whether the request has arrived.
    """

    def __init__(self, address: Address, key: str | None, limits: TransportLimits) -> None:
        self._address, self._key, self._limits = address, key, limits
        single = httpx2.Limits(max_keepalive_connections=0)
        try:
            self._client = httpx2.AsyncClient(
                # A transport that is given is not replaced by one through the environment's proxy.
                transport=httpx2.AsyncHTTPTransport(limits=single) if address.is_loopback else None,
                limits=single,
                timeout=httpx2.Timeout(
                    connect=limits.connect_s, write=limits.block_s, read=limits.answer_s, pool=None
                ),
                headers=_headers(key),
            )
        except OSError as error:
            raise UsageError(
                f"The certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: "
                f"{error.strerror or error}. Name a PEM file there, or unset them."
            ) from error
        except (ImportError, ValueError, httpx2.InvalidURL) as error:
            raise UsageError(
                "The proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names cannot be used. Write "
                "it as http://host:port, or put the server's name into NO_PROXY."
            ) from error

    async def ask(self, path: str, body: TranscriptionUpload | None = None) -> Reply:
        """GET, or POST with a body. Raises `ServerError` where no complete reply comes.

        And what reading the recording raises. A redirect is a reply: it is not followed.
        """
        if self._client.is_closed:
            raise UsageError("This server was closed. Open another: `async with Server(...)`.")
        response = None
        try:
            async with self._client.stream(
                "GET" if body is None else "POST",
                self._address.to(path),
                content=body,
                headers=_entity(body),
            ) as response:
                data = await self._whole(response)
        except (httpx2.RequestError, TimeoutError) as error:
            raise self._fault(error, body, begun=response is not None) from error
        return Reply(
            server=str(self._address),
            status=response.status_code,
            headers=dict(response.headers),
            data=data,
            key=self._key,
        )

    async def aclose(self) -> None:
        """Close what is open. May be called again."""
        await self._client.aclose()

    async def _whole(self, response: httpx2.Response) -> bytes:
        """The answer without the white space before it, which says no more than "still here"."""
        loop, data, most = asyncio.get_running_loop(), bytearray(), self._limits.answer_bytes
        async with asyncio.timeout(self._limits.silence_s) as silence:
            async for part in response.aiter_bytes():
                silence.reschedule(loop.time() + self._limits.silence_s)
                data += part if data else part.lstrip(FILLER)
                if len(data) > most:
                    raise ServerError(
                        f"{self._address} answers with more than {most / 1e6:,.0f} MB, which no "
                        f"transcript has."
                    )
        return bytes(data)

    def _fault(
        self, error: Exception, body: TranscriptionUpload | None, *, begun: bool
    ) -> ServerError:
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


def _entity(body: TranscriptionUpload | None) -> dict[str, str]:
    if body is None:
        return {}
    return {"Content-Type": "application/json", "Content-Length": str(body.length)}
