"""`exchange`: one request to an upstream and its response, within a time and a size."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2

from voxgate.providers.upstream.connection_failures import broken_connection, too_slow
from voxgate.providers.upstream.failures import compressed_answer, endless_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.providers.upstream.dialect import UpstreamRequest
    from voxgate.providers.upstream.encoding import EncodedSound
    from voxgate.providers.upstream.keys import UpstreamKey
    from voxgate.upstreams import Upstream

CONNECT_S = 10.0  # for a connection to be accepted

ANSWER_BYTES = 4 * 2**20
"""The words of an hour, with all that OpenAI says of a word."""

FAILURE_BYTES = 2**16
"""What is read of any other response: a sentence is wanted of it."""


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """A whole response. `headers` have names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is that of a success."""
        return 200 <= self.status < 300

    @property
    def content_type(self) -> str:
        """What the body is said to be."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


async def exchange(
    http: httpx2.AsyncClient,
    upstream: Upstream,
    request: UpstreamRequest,
    *,
    sound: EncodedSound | None,
    key: UpstreamKey,
    deadline_s: float,
) -> UpstreamResponse:
    """Post the request; `sound` is the file of a form. Redirects are not followed.

    Cancelling the call closes its connection.
    Raises `UpstreamError` where no whole response arrives until the deadline, which begins now.
    """
    headers = {} if key.value is None else {"Authorization": f"Bearer {key.value}"}
    if request.document is not None:
        headers["Content-Type"] = "application/json"
    try:
        async with (
            asyncio.timeout(deadline_s),
            http.stream(
                "POST",
                f"{upstream.url}{request.path}",
                headers=headers,
                content=request.document,
                data=request.fields or None,
                files={"file": sound.part} if sound and request.document is None else None,
            ) as response,
        ):
            body = await _read(response, upstream)
    except httpx2.TimeoutException as error:  # the only one that httpx2 is given
        raise too_slow(upstream, CONNECT_S) from error
    except TimeoutError as error:
        raise too_slow(upstream, deadline_s) from error
    except (httpx2.RequestError, httpx2.InvalidURL, ssl.SSLError) as error:
        raise broken_connection(upstream, error) from error
    return UpstreamResponse(response.status_code, dict(response.headers), body)


async def _read(response: httpx2.Response, upstream: Upstream) -> bytes:
    """Read a body that is not compressed: a small one could become gigabytes."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise compressed_answer(upstream, encoding)
    data = bytearray()
    limit = ANSWER_BYTES if response.is_success else FAILURE_BYTES
    async for part in response.aiter_raw():
        data += part
        if len(data) > limit:
            if response.is_success:
                raise endless_answer(upstream, limit)
            break
    return bytes(data[:limit])
