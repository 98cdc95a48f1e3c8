"""`UpstreamClient`: the connections and keys that all upstream models of a session share."""

from __future__ import annotations

import asyncio
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

import httpx2

from voxgate._version import __version__
from voxgate.errors import SettingsError, UsageError
from voxgate.http_environment import reading_environment
from voxgate.offline import is_local, offline_error
from voxgate.providers.upstream.exchange import CONNECT_S, exchange
from voxgate.providers.upstream.failures import (
    ABOUT_THE_KEY,
    failure_status,
    response_failure,
    retry_after_s,
)
from voxgate.providers.upstream.keys import KeyRing

if TYPE_CHECKING:
    from voxgate.errors import VoxgateError
    from voxgate.providers.upstream.dialect import UpstreamRequest
    from voxgate.providers.upstream.encoding import EncodedSound
    from voxgate.providers.upstream.exchange import UpstreamResponse
    from voxgate.settings import Settings
    from voxgate.upstreams import Upstream

KEPT_S = 3.0
"""How long a connection is kept for the next request: uvicorn closes it after five seconds, and a
request at that moment would be lost."""

HEADERS = {
    "User-Agent": f"voxgate/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # see `exchange`
}


class UpstreamClient:
    """Requests to any number of upstreams, within one event loop.

    The number of requests that one upstream gets at once is limited here, because several models
    may be at one upstream.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rings: dict[Upstream, KeyRing] = {}
        self._places: dict[Upstream, asyncio.Semaphore] = {}
        self._clients: dict[bool, httpx2.AsyncClient] = {}  # by whether the upstream is local
        self._closed = False

    def check(self, upstream: Upstream) -> None:
        """Raise what forbids any request to an upstream now.

        `VoxgateError` (`offline`), and `UpstreamError` (`upstream_denied`,
        `upstream_rate_limited`) where no key is usable.
        """
        self._allow(upstream)
        self.ring(upstream).check()

    async def post(
        self,
        upstream: Upstream,
        request: UpstreamRequest,
        sound: EncodedSound | None,
        work_s: float,
    ) -> UpstreamResponse:
        """Return the upstream's response with an answer, by the first key that gets one.

        `sound` is the file of a form. For each key the upstream has its patience and `work_s`: the
        seconds of the sound, and what an answer takes. Raises what `check` raises, `UpstreamError`,
        and `UsageError` (`context_exceeded`).
        """
        self._allow(upstream)
        ring, deadline_s = self.ring(upstream), upstream.patience_s + work_s
        failures: list[VoxgateError] = []
        async with self._places.setdefault(upstream, asyncio.Semaphore(upstream.concurrency)):
            for key in ring.usable():
                response = await exchange(
                    self._http(upstream),
                    upstream,
                    request,
                    sound=sound,
                    key=key,
                    deadline_s=deadline_s,
                )
                status = failure_status(response)
                if status is None:
                    ring.succeeded(key)
                    return response
                failure = response_failure(
                    upstream, response, status, ring.hide, by_caller=request.by_caller
                )
                if status not in ABOUT_THE_KEY:
                    raise failure
                rest_s = ring.refused(key, status, retry_after_s(response))
                if failure.retry_after_s is None and failure.retryable:
                    failure.retry_after_s = rest_s
                failures.append(failure)
        raise min(failures, key=_soonest)

    def ring(self, upstream: Upstream) -> KeyRing:
        """Return the keys of an upstream."""
        return self._rings.setdefault(upstream, KeyRing(upstream))

    async def aclose(self) -> None:
        """End all requests and close their connections. May be called again."""
        self._closed = True
        while self._clients:
            await self._clients.popitem()[1].aclose()

    def _allow(self, upstream: Upstream) -> None:
        if self._settings.offline and not _is_local(upstream):
            raise offline_error(f"This would send sound to {upstream.name}")

    def _http(self, upstream: Upstream) -> httpx2.AsyncClient:
        if self._closed:
            raise UsageError("This session is closed. Open another: `async with Session() as ...`.")
        local = _is_local(upstream)
        if local not in self._clients:
            self._clients[local] = _new_client(local=local)
        return self._clients[local]


def _is_local(upstream: Upstream) -> bool:
    try:
        return is_local(httpx2.URL(upstream.url).host)
    except httpx2.InvalidURL:
        return False


def _soonest(failure: VoxgateError) -> tuple[bool, float]:
    """Order failures: first those after which a retry helps, by how soon."""
    return not failure.retryable, failure.retry_after_s or 0.0


def _new_client(*, local: bool) -> httpx2.AsyncClient:
    """Return a client without cookies, which could tell one caller's requests from another's."""
    with reading_environment(SettingsError, "the providers' hosts"):
        return httpx2.AsyncClient(
            # With an explicit transport, httpx2 does not use the environment's proxy.
            transport=httpx2.AsyncHTTPTransport() if local else None,
            limits=httpx2.Limits(max_connections=None, keepalive_expiry=KEPT_S),
            timeout=httpx2.Timeout(None, connect=CONNECT_S),
            headers=HEADERS,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )
