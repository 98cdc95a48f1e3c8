"""`TranscriptStream`: sends a transcript's segments as events, also while its upload goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from voxgate.api.dialects.events import find_events
from voxgate.api.disconnect import disconnected
from voxgate.api.stream import JobStream
from voxgate.api.transcript_job import TranscriptJob
from voxgate.errors import VoxgateError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterator

    from starlette.types import Receive

    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.api.jobs import Jobs
    from voxgate.api.response_head import ResponseHead
    from voxgate.transcript.values import Segment, Transcript


class TranscriptStream(JobStream[TranscriptJob]):
    """The response to one caller who reads a transcript while it is made."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        key: Hashable,
        job: TranscriptJob,
        parsed: ParsedRequest,
        head: ResponseHead,
        rest: Callable[[], Awaitable[ParsedRequest]] | None = None,
    ) -> None:
        """`rest` waits for the rest of the upload, and returns the request with all its fields."""
        super().__init__(jobs=jobs, key=key, job=job, request=parsed, head=head)
        self._rest, self._events = rest, find_events(parsed)
        self._uploaded = asyncio.Event()
        self._upload_error: VoxgateError | None = None

    def _begin(self) -> Iterator[str]:
        job, result = self._job, self._job.result
        return self._events.begin(result.language if result and not job.pieces else job.language)

    def _piece(self, piece: Segment, *, first: bool) -> Iterator[str]:
        return self._events.segment(piece, first=first)

    def _done(self, result: Transcript) -> Iterator[str]:
        return self._events.done(result, self._job.cost)

    def _error(self, error: VoxgateError) -> Iterator[str]:
        return self._events.error(error)

    @property
    def _cut_after_error(self) -> bool:
        return self._events.cut_after_error

    async def _failure(self) -> VoxgateError | None:
        if self._job.result:
            await self._uploaded.wait()
        return self._upload_error or self._job.error

    async def _left(self, receive: Receive) -> None:
        """Return when the caller has left. Until the upload is complete, `rest` reads it."""
        try:
            if self._rest:
                self._events = find_events(await self._rest())
        except ClientDisconnect:
            return
        except VoxgateError as error:
            self._upload_error = error
            self._job.cancel(error)
        self._uploaded.set()
        await disconnected(receive)
