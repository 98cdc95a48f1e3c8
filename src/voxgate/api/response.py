"""Waits for a flight and says its outcome, with white space while JSON is waited for.

OpenRouter's client gives up after 5 seconds without a byte and posts the same again
(openrouter-api.md 11.2). JSON may begin with white space, so after `filler_after_s` the status and
a space are sent, and another space every `FILLER_EVERY_S`, once the first sound is decoded: by then
nearly everything that can be wrong with a request has been found. What fails later is an error
object in a body whose status is 200.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.responses import Response

from voxgate.api.dialects.render import is_json, media_type, render_transcript
from voxgate.api.error_responses import error_body, error_headers
from voxgate.errors import VoxgateError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from contextlib import AbstractContextManager

    from starlette.types import Message, Receive, Scope, Send

    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.api.jobs import Job, Jobs
    from voxgate.pipeline.trace import StageTimes
    from voxgate.providers.base import Provider

FILLER_EVERY_S = 2.0


class TranscriptionResponse(Response):
    """The answer of one caller to whom one flight belongs, alone or with others."""

    def __init__(
        self,
        *,
        flights: Jobs,
        what: Hashable,
        flight: Job,
        asked: ParsedRequest,
        fills: bool,
        filler_after_s: float,
        user_agent: str,
        provider: Provider,
        spans: StageTimes,
        began: float,
    ) -> None:
        """`fills` says that the caller may be sent white space; `began` is the request's time."""
        super().__init__(media_type="application/json")
        self._waiting: Callable[[], AbstractContextManager[Callable[[], None]]] = lambda: (
            flights.waiting(what, flight)
        )
        self._flight, self._asked, self._spans, self._began = flight, asked, spans, began
        self._fills, self._filler_after_s = fills and is_json(asked), filler_after_s
        self._user_agent, self._model = user_agent, _shown(provider)
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Wait, fill, answer. A caller who leaves is no longer waited for."""
        with self._waiting() as deliver:
            answering = asyncio.create_task(self._answer(send))
            leaving = asyncio.create_task(_left(receive))
            try:
                await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if answering.done():
                    await answering
                    deliver()
            finally:
                for task in (answering, leaving):
                    task.cancel()
                await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _answer(self, send: Send) -> None:
        if self._fills:
            await self._fill(send)
        await self._flight.done.wait()
        with self._spans.measure("render"):
            body, status, kind, headers = await self._outcome()
        if not self._begun:
            await send(self._start(status, kind, headers))
        await send({"type": "http.response.body", "body": body})

    async def _fill(self, send: Send) -> None:
        """Return when the flight has landed; send white space for as long as it has not."""
        if await _within(self._flight.done, self._filler_after_s):
            return
        heard = asyncio.create_task(self._flight.heard.wait())
        done = asyncio.create_task(self._flight.done.wait())
        try:
            await asyncio.wait({heard, done}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            heard.cancel()
            done.cancel()
        while not self._flight.done.is_set():
            if not self._begun:
                self._begun = True
                await send(self._start(200, "application/json", {}))
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await _within(self._flight.done, FILLER_EVERY_S)

    async def _outcome(self) -> tuple[bytes, int, str, dict[str, str]]:
        transcript, error = self._flight.transcript, self._flight.error
        if transcript is None:
            error = error or VoxgateError("The work ended without an outcome. Try again.")
            body = error_body(error, self._asked.model)
            return body, error.status, "application/json", error_headers(error)
        body = await asyncio.to_thread(
            render_transcript, transcript, self._asked, 0, self._user_agent
        )
        # Each code once: every window may have a notice of its own.
        codes = dict.fromkeys(n.code for n in (*transcript.notices, *self._asked.hints))
        headers = {"X-Voxgate-Warning": ", ".join(codes)} if codes else {}
        return body, 200, media_type(self._asked), headers

    def _start(self, status: int, kind: str, headers: dict[str, str]) -> Message:
        """The beginning of the response, with where the time went until now."""
        if kind.startswith("text/") or "subrip" in kind:
            kind += "; charset=utf-8"
        fields = {
            "content-type": kind,
            "x-generation-id": self._flight.id,
            "x-request-id": self._flight.id,
            "x-voxgate-model": self._model,
            "server-timing": self._timing(),
            **{name.lower(): value for name, value in headers.items()},
        }
        return {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
        }

    def _timing(self) -> str:
        """https://www.w3.org/TR/server-timing/, in milliseconds.

        `work` is the time in which sound was decoded or recognised, or both; `total` less `work` is
        this server's own.
        """
        flight = self._flight.spans
        entries = {
            **{name: self._spans.seconds(name) for name in self._spans.names},
            **{name: flight.seconds(name) for name in flight.names},
            "work": flight.seconds("decode", "provider"),
            "total": time.monotonic() - self._began,
        }
        return ", ".join(f"{name};dur={seconds * 1e3:.2f}" for name, seconds in entries.items())


def _shown(provider: Provider) -> str:
    """Who answers, for a header: `NAME@REVISION; profile=PROFILE`, as far as it is known."""
    name = f"{provider.name}@{provider.revision}" if provider.revision else provider.name
    return f"{name}; profile={provider.profile}" if provider.profile else name


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def _left(receive: Receive) -> None:
    """Return when the caller has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
