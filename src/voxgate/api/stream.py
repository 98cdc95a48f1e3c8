"""`TranscriptStream`: sends a job's segments as server-sent events, each when it is final.

Events are made from the job's segments as the connection takes them: nothing is queued for a
caller, and equal requests read one job, each from its beginning. An error before the first event is
an ordinary response; later it is an event, after which the stream ends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from voxgate.api.connection import BREAK_OFF
from voxgate.api.dialects.events import COMMENT, find_events
from voxgate.api.dialects.streaming import EVENT_STREAM
from voxgate.api.disconnect import disconnected, run_until_disconnect
from voxgate.api.error_responses import error_body, error_headers
from voxgate.api.request_log import RequestEntry
from voxgate.errors import VoxgateError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterator
    from contextlib import AbstractContextManager

    from starlette.types import Receive, Scope, Send

    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.api.jobs import Jobs
    from voxgate.api.response_head import ResponseHead
    from voxgate.api.transcript_job import TranscriptJob

HEARTBEAT_S = 10.0
"""The longest silence: proxies close a connection after a minute of it."""

CHUNK_CHARACTERS = 16_384
"""What is sent at once. All characters are ASCII."""


class TranscriptStream(Response):
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
        super().__init__(media_type=EVENT_STREAM)
        # Nobody posts a stream again because it is slow: without a reader its job ends at once.
        self._waiting: Callable[[], AbstractContextManager[Callable[[], None]]] = lambda: (
            jobs.waiting(key, job, linger_s=0.0)
        )
        self._job, self._parsed, self._head, self._rest = job, parsed, head, rest
        self._uploaded = asyncio.Event()
        self._upload_error: VoxgateError | None = None
        self._events = find_events(parsed)
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
                await self._send(self._events.begin(self._job.language), send)
            for segment in self._job.pieces[sent:]:
                await self._send(self._events.segment(segment, first=not sent), send)
                sent += 1
                self._job.deliver(sent)
        if self._job.result:
            await self._uploaded.wait()
        transcript, error = self._job.result, self._upload_error or self._job.error
        if transcript is None or error:
            error = error or VoxgateError("The work ended without an outcome. Try again.")
            RequestEntry.of(scope).fail(error)
            await self._fail(error, scope, send)
            return
        if not sent:
            await self._send(self._events.begin(transcript.language), send)
        await self._send(self._events.done(transcript, self._job.cost), send)
        await send({"type": "http.response.body", "body": b""})

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

    async def _more(self, sent: int, send: Send) -> bool:
        """Wait for segments after the first `sent`. Return False where the job ends without any.

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
            body = error_body(error, self._parsed.model)
            await send({"type": "http.response.body", "body": body})
            return
        await self._send(self._events.error(error), send)
        if self._events.cut_after_error:
            scope["extensions"][BREAK_OFF]["close"]()
            await asyncio.Event().wait()  # until the connection is closed, which ends this
        await send({"type": "http.response.body", "body": b""})

    def _own_headers(self) -> dict[str, str]:
        codes = dict.fromkeys(notice.code for notice in self._parsed.hints)
        return {
            "Cache-Control": "no-cache",
            "X-Accel-Buffering": "no",  # nginx passes on each event at once
            **({"X-Voxgate-Warning": ", ".join(codes)} if codes else {}),
        }
