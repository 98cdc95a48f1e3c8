"""`JobStream`: sends a job's pieces as server-sent events, each when it is final.

Events are made from the job's pieces as the connection takes them: nothing is queued for a
caller, and equal requests read one job, each from its beginning. An error before the first event is
an ordinary response; later it is an event, after which the stream ends.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic

from starlette.responses import Response

from voxgate.api.connection import BREAK_OFF
from voxgate.api.dialects.events import COMMENT
from voxgate.api.dialects.streaming import EVENT_STREAM
from voxgate.api.disconnect import disconnected, run_until_disconnect
from voxgate.api.error_responses import error_body, error_headers
from voxgate.api.job import JobT
from voxgate.api.request_log import RequestEntry
from voxgate.errors import VoxgateError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from contextlib import AbstractContextManager

    from starlette.types import Receive, Scope, Send

    from voxgate.api.dialects.model_request import ModelRequest
    from voxgate.api.jobs import Jobs
    from voxgate.api.response_head import ResponseHead

HEARTBEAT_S = 10.0
"""The longest silence: proxies close a connection after a minute of it."""

CHUNK_CHARACTERS = 16_384
"""What is sent at once. All characters are ASCII."""


class JobStream(Response, ABC, Generic[JobT]):
    """The response to one caller who reads a job's result while it is made."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        key: Hashable,
        job: JobT,
        request: ModelRequest,
        head: ResponseHead,
    ) -> None:
        super().__init__(media_type=EVENT_STREAM)
        # Nobody posts a stream again because it is slow: without a reader its job ends at once.
        self._waiting: Callable[[], AbstractContextManager[Callable[[], None]]] = lambda: (
            jobs.waiting(key, job, linger_s=0.0)
        )
        self._job, self._request, self._head = job, request, head
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the job ends; stop when the client disconnects."""
        with self._waiting() as deliver:
            if await run_until_disconnect(self._respond(scope, send), self._left(receive)):
                deliver()

    async def _respond(self, scope: Scope, send: Send) -> None:
        sent = 0
        while await self._more(sent, send):
            if not sent:
                await self._send(self._begin(), send)
            for piece in self._job.pieces[sent:]:
                await self._send(self._piece(piece, first=not sent), send)
                sent += 1
                self._job.deliver(sent)
        result, error = self._job.result, await self._failure()
        if result is None or error:
            error = error or VoxgateError("The work ended without an outcome. Try again.")
            RequestEntry.of(scope).fail(error)
            await self._fail(error, scope, send)
            return
        if not sent:
            await self._send(self._begin(), send)
        await self._send(self._done(result), send)
        await send({"type": "http.response.body", "body": b""})

    @abstractmethod
    def _begin(self) -> Iterator[str]:
        """Return the parts of the events that precede all pieces."""

    @abstractmethod
    def _piece(self, piece: Any, *, first: bool) -> Iterator[str]:
        """Return the parts of the events of the next piece; `first` says that none was before."""

    @abstractmethod
    def _done(self, result: Any) -> Iterator[str]:
        """Return the parts of the events that end the stream."""

    @abstractmethod
    def _error(self, error: VoxgateError) -> Iterator[str]:
        """Return the parts of the events that end a stream that failed."""

    @property
    def _cut_after_error(self) -> bool:
        """Whether the connection must break then, since its client takes it for an end else."""
        return False

    async def _failure(self) -> VoxgateError | None:
        """Return why there is no whole result, once it is known."""
        return self._job.error

    async def _left(self, receive: Receive) -> None:
        """Return when the caller has left."""
        await disconnected(receive)

    async def _more(self, sent: int, send: Send) -> bool:
        """Wait for pieces after the first `sent`. Return False where the job ends without any.

        A comment ends every `HEARTBEAT_S` of silence, once sound was decoded: by then nearly every
        error in a request has been found.
        """
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    return await self._job.more(sent)
            except TimeoutError:
                if self._job.decoding.is_set():
                    await self._send(iter([COMMENT]), send)

    async def _send(self, parts: Iterator[str], send: Send) -> None:
        """Send the parts of events, a chunk at a time; wait for a caller who reads slowly."""
        chunk, length = list[str](), 0
        for part in parts:
            chunk.append(part)
            length += len(part)
            if length >= CHUNK_CHARACTERS:
                await self._send_chunk("".join(chunk), send)
                chunk, length = [], 0
        if chunk:
            await self._send_chunk("".join(chunk), send)

    async def _send_chunk(self, chunk: str, send: Send) -> None:
        if not self._started:
            self._started = True
            await send(self._head.message(200, EVENT_STREAM, self._own_headers()))
        await send({"type": "http.response.body", "body": chunk.encode(), "more_body": True})
        await asyncio.sleep(0)  # `send` gives way only to a full buffer

    async def _fail(self, error: VoxgateError, scope: Scope, send: Send) -> None:
        if not self._started:
            headers = error_headers(error)
            await send(self._head.message(error.status, "application/json", headers))
            body = error_body(error, self._request.model)
            await send({"type": "http.response.body", "body": body})
            return
        await self._send(self._error(error), send)
        if self._cut_after_error:
            scope["extensions"][BREAK_OFF]["close"]()
            await asyncio.Event().wait()  # until the connection is closed, which ends this
        await send({"type": "http.response.body", "body": b""})

    def _own_headers(self) -> dict[str, str]:
        codes = dict.fromkeys(notice.code for notice in self._request.hints)
        return {
            "Cache-Control": "no-cache",
            "X-Accel-Buffering": "no",  # nginx passes on each event at once
            **({"X-Voxgate-Warning": ", ".join(codes)} if codes else {}),
        }
