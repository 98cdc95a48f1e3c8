"""`Recording`: what a job transcribes, an upload or what it fetches from an address itself."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable

    from voxgate.audio.arriving import ArrivingFile
    from voxgate.pipeline.trace import StageTimes
    from voxgate.remote.fetcher import FetchedRecording, Fetcher
    from voxgate.remote.recording_url import RecordingUrl


class Recording(Protocol):
    """The recording of a request. Close it in any case.

    `identity` is equal for equal recordings. `origin` is the host that it is fetched from.
    """

    @property
    def name(self) -> str | None:
        """The file's name, where it is known."""

    @property
    def identity(self) -> Hashable:
        """What tells the recording from others."""

    @property
    def origin(self) -> str | None:
        """The host that the recording is fetched from; None for an upload."""

    async def open(self, stages: StageTimes) -> IO[bytes] | ArrivingFile:
        """Return the recording at its beginning. Raises what `Fetcher.fetch` raises."""

    def close(self) -> None:
        """Delete the recording. May be called again."""


class WholeRecording(Recording, Protocol):
    """A recording that has arrived, or is fetched whole."""

    async def open(self, stages: StageTimes) -> IO[bytes]:
        """Return the recording at its beginning. Raises what `Fetcher.fetch` raises."""


class RemoteRecording:
    """A recording that is fetched by its job, which callers who come back join.

    OpenRouter's client gives up after 5 seconds and posts again: a request that fetched by itself
    would fetch anew each time.
    """

    def __init__(self, url: RecordingUrl, fetcher: Fetcher) -> None:
        """Raise what `Fetcher.admit` raises, so that a request fails before there is a job."""
        fetcher.admit(url)
        self._url, self._fetcher = url, fetcher
        self._fetched: FetchedRecording | None = None

    @property
    def name(self) -> str | None:
        """The file's name, once it is fetched."""
        return self._fetched.name if self._fetched else None

    @property
    def identity(self) -> Hashable:
        """The whole address."""
        return str(self._url)

    @property
    def origin(self) -> str | None:
        """The host, for the log: the address may hold a signature."""
        return self._url.host

    async def open(self, stages: StageTimes) -> IO[bytes]:
        """Fetch the recording. Raises what `Fetcher.fetch` raises."""
        with stages.span("fetch"):
            self._fetched = await self._fetcher.fetch(self._url)
        self._fetched.file.seek(0)
        return self._fetched.file

    def close(self) -> None:
        """Delete what was fetched. May be called again."""
        if self._fetched:
            self._fetched.close()
