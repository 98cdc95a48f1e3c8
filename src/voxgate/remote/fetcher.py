"""`Fetcher`: fetches one recording from its address into an unnamed file."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import IO, TYPE_CHECKING, TypeAlias

import httpcore2

from voxgate._version import __version__
from voxgate.audio.spooled_file import SpooledFile
from voxgate.errors import AudioError, UsageError, VoxgateError
from voxgate.offline import is_local, offline_error
from voxgate.remote.checked_network import CheckedNetwork, resolve
from voxgate.remote.failures import HTTP_ERRORS, connection_failed
from voxgate.remote.response_head import ResponseHead

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from voxgate.remote.address_policy import AddressPolicy
    from voxgate.remote.checked_network import Resolver
    from voxgate.remote.recording_url import RecordingUrl
    from voxgate.settings import Settings

    ByteProgress: TypeAlias = Callable[[int, int | None], None]

MAX_REDIRECTS = 3
BEGINNING_BYTES = 512  # enough to tell a page
HEADERS = [
    (b"User-Agent", f"voxgate/{__version__}".encode()),
    (b"Accept", b"audio/*, video/*, */*;q=0.5"),
    # What is inflated has no announced size, and recordings are compressed already.
    (b"Accept-Encoding", b"identity"),
]


@dataclass(frozen=True, slots=True)
class FetchedRecording:
    """A recording that was fetched. Close it, or use it as a context, to delete it.

    `name` is that of a file, without a path. `sha256` is hexadecimal.
    """

    file: IO[bytes]
    name: str
    size: int
    sha256: str

    def close(self) -> None:
        """Delete the recording. May be called again."""
        self.file.close()

    def __enter__(self) -> FetchedRecording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Fetcher:
    """Fetches from the servers that `policy` allows, at most `limit` bytes a recording.

    Proxies of the environment are not used: they would choose the addresses, and no policy could
    check them. `too_large` makes the error beyond the limit.
    """

    def __init__(
        self,
        settings: Settings,
        policy: AddressPolicy,
        *,
        limit: int,
        too_large: Callable[[int], VoxgateError],
        resolver: Resolver = resolve,
    ) -> None:
        self._settings, self._policy = settings, policy
        self._limit, self._too_large = limit, too_large
        self._network = CheckedNetwork(policy, resolver)

    def admit(self, url: RecordingUrl) -> None:
        """Raise at once what needs no connection.

        `UsageError` (`url_refused`) where nothing is fetched, `VoxgateError` (`offline`) where
        offline mode forbids it.
        """
        if self._policy.allows_nothing:
            raise UsageError(
                "This server fetches no recordings from addresses. Send the recording itself, or "
                "have its operator set VOXGATE_URL_ALLOW.",
                code="url_refused",
            )
        if self._settings.offline and not is_local(url.host):
            raise offline_error(f"This would fetch a recording from {url.host}")

    async def fetch(
        self, url: RecordingUrl, on_bytes: ByteProgress = lambda _done, _total: None
    ) -> FetchedRecording:
        """Fetch the recording. The caller closes it.

        `on_bytes` is called with the bytes so far and, where it is known, their final number.
        Raises what `admit` raises, `UsageError` (`url_refused`) for a server that is not allowed,
        `AudioError` (`fetch_failed`) for what the server did, what `too_large` makes, and
        `SpoolFullError`.
        """
        self.admit(url)
        file = SpooledFile(self._settings.spool_dir, self._limit, self._too_large)
        try:
            name = await self._within_deadlines(url, file, on_bytes)
        except BaseException:
            file.close()
            raise
        return FetchedRecording(file.file, name, file.size, file.sha256)

    async def _within_deadlines(
        self, url: RecordingUrl, file: SpooledFile, on_bytes: ByteProgress
    ) -> str:
        first, whole = self._settings.url_first_byte_s, self._settings.url_deadline_s
        first_byte = asyncio.timeout(first)
        try:
            async with asyncio.timeout(whole), first_byte:

                def on_first(done: int, total: int | None) -> None:
                    first_byte.reschedule(None)
                    on_bytes(done, total)

                return await self._follow(url, file, on_first)
        except TimeoutError as error:
            limit = f"{first:g} s, the limit for the first byte (VOXGATE_URL_FIRST_BYTE_S)"
            if not first_byte.expired():
                limit = f"{whole:g} s, the limit for the whole (VOXGATE_URL_DEADLINE_S)"
            raise AudioError(
                f"{url.host} sent {file.size:,} bytes of the recording within {limit}. Try again "
                f"later, or send the recording itself.",
                code="fetch_failed",
            ) from error

    async def _follow(self, url: RecordingUrl, file: SpooledFile, on_bytes: ByteProgress) -> str:
        """Follow redirects to the recording, receive it, and return its name."""
        at = url
        for _ in range(MAX_REDIRECTS + 1):
            try:
                async with self._get(at) as response:
                    head = ResponseHead.of(response, at.host)
                    if not head.location:
                        await self._receive(response, head, file, on_bytes)
                        return head.file_name(url, at)
            except HTTP_ERRORS as error:
                raise connection_failed(error, at.host, file.size) from error
            at = at.redirected(head.location)
            self.admit(at)
        raise AudioError(
            f"{url.host} leads on more than {MAX_REDIRECTS} times. Give the address of the file "
            f"itself.",
            code="fetch_failed",
        )

    @asynccontextmanager
    async def _get(self, at: RecordingUrl) -> AsyncIterator[httpcore2.Response]:
        url = httpcore2.URL(
            scheme=at.url.raw_scheme,
            host=at.url.raw_host,
            port=at.url.port,
            target=at.url.raw_path,
        )
        context = self._tls if at.url.scheme == "https" else None
        patience = {"read": self._settings.url_first_byte_s}
        async with (
            httpcore2.AsyncConnectionPool(context, network_backend=self._network) as pool,
            pool.stream(
                "GET",
                url,
                headers=[(b"Host", at.url.netloc), *HEADERS],  # an IPv6 number has brackets here
                extensions={"timeout": patience},
            ) as response,
        ):
            yield response

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The certificates that are trusted; reading them takes some milliseconds."""
        return httpcore2.default_ssl_context()

    async def _receive(
        self,
        response: httpcore2.Response,
        head: ResponseHead,
        file: SpooledFile,
        on_bytes: ByteProgress,
    ) -> None:
        head.check()
        if (head.length or 0) > self._limit:
            raise self._too_large(self._limit)
        async with aclosing(response.aiter_stream()) as chunks:
            async for chunk in chunks:
                file.write(chunk)
                on_bytes(file.size, head.length)
        if head.is_page(os.pread(file.file.fileno(), BEGINNING_BYTES, 0)):
            raise AudioError(
                f"What {head.host} has there is a page, not a recording. Give the address of the "
                f"file itself: it often ends in .mp3, .m4a or .wav.",
                code="not_audio",
            )
