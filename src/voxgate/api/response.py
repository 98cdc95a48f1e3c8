"""`JobResponse`: waits for a job and sends its outcome.

OpenRouter's client gives up after 5 seconds without a byte and posts the same request again
(openrouter-api.md 11.2). JSON may begin with white space. So after `filler_after_s` the status and
a space are sent, and another space every `FILLER_EVERY_S`, once the first sound is decoded: by then
nearly every error in a request has been found. A later failure is an error object in a body whose
status is 200.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from voxgate.api.disconnect import disconnected, run_until_disconnect
from voxgate.api.error_responses import error_body, error_headers
from voxgate.api.jobs import LINGER_S
from voxgate.api.request_log import RequestEntry
from voxgate.errors import VoxgateError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from contextlib import AbstractContextManager

    from starlette.types import Receive, Scope, Send

    from voxgate.api.dialects.model_request import ModelRequest
    from voxgate.api.error_responses import ErrorBody
    from voxgate.api.job import AnyJob
    from voxgate.api.jobs import Jobs
    from voxgate.api.response_head import ResponseHead
    from voxgate.api.router_metadata import RouterMetadata
    from voxgate.pipeline.trace import StageTimes

FILLER_EVERY_S = 2.0

JSON = "application/json"


class JobResponse(Response):
    """The response to one of the callers that wait for a job."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        key: Hashable,
        job: AnyJob,
        request: ModelRequest,
        render: Callable[[Any], Awaitable[bytes]],
        media_type: str = JSON,
        accepts_filler: bool,
        filler_after_s: float,
        user_agent: str,
        stages: StageTimes,
        head: ResponseHead,
        error: ErrorBody = error_body,
        metadata: RouterMetadata | None = None,
        linger_s: float = LINGER_S,
    ) -> None:
        """`render` is awaited with a result, for the body of this content type.

        `accepts_filler` means that the caller may be sent white space, before JSON. `metadata` is
        added to JSON for whoever asks for it. `linger_s` is how long a caller may come back.
        """
        super().__init__(media_type=media_type)
        self._waiting: Callable[[], AbstractContextManager[Callable[[], None]]] = lambda: (
            jobs.waiting(key, job, linger_s=linger_s)
        )
        self._job, self._request, self._stages, self._head = job, request, stages, head
        self._render, self._media_type = render, media_type
        self._sends_filler = accepts_filler and media_type == JSON
        self._filler_after_s = filler_after_s
        self._user_agent, self._error_body, self._metadata = user_agent, error, metadata
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the job and send its outcome; stop waiting when the client disconnects."""
        with self._waiting() as deliver:
            if await run_until_disconnect(
                self._respond(RequestEntry.of(scope), send), disconnected(receive)
            ):
                deliver()

    async def _respond(self, entry: RequestEntry, send: Send) -> None:
        if self._sends_filler:
            await self._send_filler(send)
        await self._job.done.wait()
        if self._job.error:
            entry.fail(self._job.error)
        with self._stages.span("render"):
            body, status, content_type, headers = await self._outcome()
        if self._metadata and content_type == JSON:
            body = self._metadata.added_to(body)
        if not self._started:
            await send(self._head.message(status, content_type, headers))
        await send({"type": "http.response.body", "body": body})

    async def _send_filler(self, send: Send) -> None:
        """Send white space until the job is done."""
        if await _set_within(self._job.done, self._filler_after_s):
            return
        decoding = asyncio.create_task(self._job.decoding.wait())
        done = asyncio.create_task(self._job.done.wait())
        try:
            await asyncio.wait({decoding, done}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            decoding.cancel()
            done.cancel()
        while not self._job.done.is_set():
            if not self._started:
                self._started = True
                await send(self._head.message(200, JSON, {}))
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await _set_within(self._job.done, FILLER_EVERY_S)

    async def _outcome(self) -> tuple[bytes, int, str, dict[str, str]]:
        """Return the body, status, content type and headers."""
        result, error = self._job.result, self._job.error
        if result is None:
            error = error or VoxgateError("The work ended without an outcome. Try again.")
            body = self._error_body(error, self._request.model, self._user_agent)
            return body, error.status, JSON, error_headers(error)
        body = await self._render(result)
        # Each code once: every window may have a notice with the same code.
        codes = dict.fromkeys(n.code for n in (*result.notices, *self._request.hints))
        headers = {"X-Voxgate-Warning": ", ".join(codes)} if codes else {}
        return body, 200, self._media_type, headers


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
