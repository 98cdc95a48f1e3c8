"""The engine's HTTP interface for one loaded model: health, transcribe, align and answer."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry import trace
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.engine import protocol
from voxgate.engine.protocol import NDJSON, Failure, encode
from voxgate.engine.question_wire import QUESTION_HEADER, decode_question
from voxgate.engine.queue import QuestionRequest, WindowRequest
from voxgate.errors import EngineError, UsageError, VoxgateError
from voxgate.tracing import RequestSpans, mark_failed
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from voxgate.answers.values import Answered
    from voxgate.engine import queue
    from voxgate.engine.backend import Backend, Scheduler
    from voxgate.transcript.values import Event


def create_app(backend: Backend, scheduler: Scheduler) -> ASGIApp:
    """Return an application that gives requests to `scheduler`. The caller stops the scheduler."""
    service = _Service(backend, scheduler)
    app = Starlette(
        routes=[
            Route(protocol.HEALTH_ROUTE, service.health, methods=["GET"]),
            Route(protocol.TRANSCRIBE_ROUTE, service.transcribe, methods=["POST"]),
            Route(protocol.ALIGN_ROUTE, service.align, methods=["POST"]),
            Route(protocol.ANSWER_ROUTE, service.answer, methods=["POST"]),
        ],
        exception_handlers={VoxgateError: _failure_response, ClientDisconnect: _empty_response},
    )
    return RequestSpans(app, without=[protocol.HEALTH_ROUTE])


class _Service:
    """The handlers of the routes."""

    def __init__(self, backend: Backend, scheduler: Scheduler) -> None:
        self._backend = backend
        self._scheduler = scheduler
        self._request_count, self._last_end = 0, time.monotonic()

    async def health(self, _request: Request) -> Response:
        active, queued = self._scheduler.active, self._scheduler.queued
        fill = self._scheduler.fill
        health = protocol.Health(
            model=self._backend.name,
            pid=os.getpid(),
            state="working" if active else "idle",
            active=active,
            queued=queued,
            step_age_s=self._scheduler.step_age_s,
            taken=self._request_count,
            idle_s=None if active or queued else time.monotonic() - self._last_end,
            slots=fill.slots,
            steps=fill.steps,
            step_windows=fill.windows,
            draft_tokens=fill.proposed,
            right_draft_tokens=fill.accepted,
        )
        return Response(health.encode(), media_type="application/json")

    async def transcribe(self, request: Request) -> Response:
        model = self._backend.name
        options = protocol.decode_options(request.headers.get(protocol.OPTIONS_HEADER, "{}"))
        self._backend.capabilities.check(model, options)
        return await self._stream(request, options)

    async def align(self, request: Request) -> Response:
        """Answer with the times of a text's words. Refuse where the model cannot align."""
        model = self._backend.name
        if not self._backend.capabilities.aligns:
            raise UsageError(
                f"{model} cannot align a text with a window. Ask a Whisper.",
                code="unsupported_option",
            )
        text, language = protocol.decode_alignment(request.headers.get(protocol.ALIGN_HEADER, "{}"))
        options = Options(language)
        self._backend.capabilities.check(model, options)
        return await self._stream(request, options, text)

    async def answer(self, request: Request) -> Response:
        """Answer a question about the sounds in the body. Refuse where the model cannot."""
        model, capabilities = self._backend.name, self._backend.capabilities
        if not capabilities.answers:
            raise UsageError(
                f"{model} answers no questions. Ask a model that does, as a Voxtral.",
                code="unsupported_option",
            )
        question = decode_question(request.headers.get(QUESTION_HEADER, "{}"))
        capabilities.check(model, question.options)
        pcm16 = await self._read_body(request, capabilities.hears_s, "The sound of this question")
        if len(pcm16) != question.samples * SAMPLE_BYTES:
            raise UsageError(
                f"The sounds of this question have {question.samples} samples, and the body has "
                f"{len(pcm16) // SAMPLE_BYTES}. Send all of them, one after another."
            )
        return self._events(partial(QuestionRequest, question, pcm16), pcm16)

    async def _stream(
        self, request: Request, options: Options, text: str | None = None
    ) -> EventStream:
        """Queue the window in the request's body."""
        window_s = self._backend.capabilities.window_s
        pcm16 = await self._read_body(request, window_s, "This window")
        return self._events(partial(WindowRequest, pcm16, options, text=text), pcm16)

    def _events(self, queued: Callable[..., queue.Request], pcm16: bytes) -> EventStream:
        trace.get_current_span().set_attributes(
            {
                "voxgate.model": self._backend.name,
                "voxgate.window.length_s": len(pcm16) / SAMPLE_BYTES / SAMPLE_RATE,
            }
        )
        stream = EventStream(self._scheduler, self._backend.name, queued, self._note_end)
        self._request_count += 1
        return stream

    def _note_end(self) -> None:
        self._last_end = time.monotonic()

    async def _read_body(self, request: Request, limit_s: float, what: str) -> bytes:
        """Return the PCM16 of a body. Raise `UsageError` for too much of it, or half a sample."""
        max_bytes = round(limit_s * SAMPLE_RATE) * SAMPLE_BYTES
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > max_bytes:
                raise UsageError(
                    f"{what} is longer than {limit_s:g} s, the most that {self._backend.name} "
                    f"takes ({max_bytes} bytes). Cut it first."
                )
        if len(body) % SAMPLE_BYTES:
            raise UsageError(
                f"{len(body)} bytes are not a whole number of samples: the body is mono PCM16 "
                f"little-endian at {SAMPLE_RATE} Hz."
            )
        return bytes(body)


async def _failure_response(_request: Request, error: Exception) -> Response:
    if not isinstance(error, VoxgateError):
        raise error
    return Response(encode(Failure.from_error(error)), error.status, media_type=NDJSON)


async def _empty_response(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # never read: the caller left before the whole body arrived


class EventStream(Response):
    """An NDJSON response with one request's events. A closed connection cancels the request.

    The request is queued when the response is created: `EngineError` (`engine_busy`) is raised
    while a status can still be chosen. Lines wait in memory for a slow reader: a window has
    hundreds of them, an answer some thousands.
    """

    media_type = NDJSON

    def __init__(
        self,
        scheduler: Scheduler,
        model: str,
        queued: Callable[..., queue.Request],
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        """Queue the request, which `queued` makes of the callbacks for its events and its end.

        `on_close` is called once, when nothing more will be sent.
        """
        self.status_code = 200
        self.background = None
        self.init_headers()
        self._model, self._on_close = model, on_close
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._scheduler = scheduler
        self._span, self._has_event = trace.get_current_span(), False
        self._request = queued(on_event=self._put_event, on_end=self._put_end)
        scheduler.add(self._request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI)
        """Send lines until the request ends or the caller disconnects."""
        watcher = asyncio.create_task(self._cancel_on_disconnect(receive))
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            while (line := await self._lines.get()) is not None:
                await send({"type": "http.response.body", "body": line, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            watcher.cancel()
            self._scheduler.cancel(self._request)
            self._on_close()

    async def _cancel_on_disconnect(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._scheduler.cancel(self._request)
        self._lines.put_nowait(None)

    def _put_event(self, event: Event | Answered) -> None:
        if not self._has_event:
            self._has_event = True
            self._span.add_event("first event")
        self._put(encode(event))

    def _put_end(self, error: Exception | None) -> None:
        if error is not None:
            mark_failed(self._span, error)
            self._put(encode(Failure.from_error(self._public_error(error))))
        self._put(None)

    def _put(self, line: bytes | None) -> None:
        self._loop.call_soon_threadsafe(self._lines.put_nowait, line)

    def _public_error(self, error: Exception) -> VoxgateError:
        """Return the error to report. The traceback stays in the engine's log."""
        if isinstance(error, VoxgateError):
            return error
        return EngineError(
            f"{self._model} failed on this {self._request.kind} ({type(error).__name__}). Send it "
            f"once more, or report the failure with the engine's log."
        )
