"""The engine's HTTP face: `GET /health` and `POST /transcribe` on one loaded model."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.engine import protocol
from voxgate.engine.protocol import NDJSON, Failure, encode
from voxgate.engine.queue import Lane, WindowRequest
from voxgate.errors import EngineError, UsageError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from voxgate.engine.backend import Backend, Scheduler
    from voxgate.transcript.values import Event, Options


# MERGED engine.stream
# `EventStream`: an answer that carries one window's events, and cancels it when nobody listens.


class EventStream(Response):
    """A streamed NDJSON response; closing the connection cancels the work within one step.

    The work is queued when the response is made, which raises `EngineBusyError` while a status can
    still be chosen. Lines wait in memory for a slow reader: a window has hundreds, not millions.
    """

    media_type = NDJSON

    def __init__(
        self,
        scheduler: Scheduler,
        model: str,
        pcm16: bytes,
        options: Options,
        lane: Lane,
        *,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """`ended` is called once, when nothing more will be sent."""
        self.status_code = 200
        self.background = None
        self.init_headers()
        self._model, self._ended = model, ended
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._scheduler = scheduler
        self._work = WindowRequest(pcm16, options, self._tell, self._end, lane)
        scheduler.add(self._work)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI)
        """Send lines until the work ends or the caller leaves."""
        watch = asyncio.create_task(self._watch(receive))
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
            watch.cancel()
            self._scheduler.cancel(self._work)
            self._ended()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._scheduler.cancel(self._work)
        self._lines.put_nowait(None)

    def _tell(self, event: Event) -> None:
        self._put(encode(event))

    def _end(self, error: Exception | None) -> None:
        if error is not None:
            self._put(encode(Failure.of(self._told(error))))
        self._put(None)

    def _put(self, line: bytes | None) -> None:
        self._loop.call_soon_threadsafe(self._lines.put_nowait, line)

    def _told(self, error: Exception) -> VoxgateError:
        if isinstance(error, VoxgateError):
            return error
        return EngineError(  # the traceback is in the engine's log, and stays there
            f"{self._model} failed on this window ({type(error).__name__}). Give it once more, or "
            f"report it with the engine's log."
        )


def create_app(recogniser: Backend, scheduler: Scheduler) -> Starlette:
    """An application that feeds `recogniser` through `scheduler`; both belong to the caller."""
    service = _Service(recogniser, scheduler)
    return Starlette(
        routes=[
            Route(protocol.HEALTH_ROUTE, service.health, methods=["GET"]),
            Route(protocol.TRANSCRIBE_ROUTE, service.transcribe, methods=["POST"]),
        ],
        exception_handlers={VoxgateError: _refuse, ClientDisconnect: _left},
    )


class _Service:
    def __init__(self, recogniser: Backend, scheduler: Scheduler) -> None:
        self._recogniser = recogniser
        self._scheduler = scheduler
        self._taken, self._ended = 0, time.monotonic()
        self._window_s = recogniser.capabilities.window_s
        self._limit = round(self._window_s * protocol.SAMPLE_RATE) * protocol.SAMPLE_BYTES

    async def health(self, _request: Request) -> Response:
        active, queued = self._scheduler.active, self._scheduler.queued
        health = protocol.Health(
            model=self._recogniser.name,
            pid=os.getpid(),
            state="working" if active else "idle",
            active=active,
            queued=queued,
            step_age_s=self._scheduler.step_age_s,
            taken=self._taken,
            idle_s=None if active or queued else time.monotonic() - self._ended,
        )
        return Response(health.encode(), media_type="application/json")

    async def transcribe(self, request: Request) -> Response:
        model = self._recogniser.name
        options = protocol.decode_options(request.headers.get(protocol.OPTIONS_HEADER, "{}"))
        lane = protocol.decode_lane(request.headers.get(protocol.LANE_HEADER, "batch"))
        self._recogniser.capabilities.check(model, options)
        pcm16 = await self._sound(request)
        stream = EventStream(self._scheduler, model, pcm16, options, lane, ended=self._rest)
        self._taken += 1
        return stream

    def _rest(self) -> None:
        self._ended = time.monotonic()

    async def _sound(self, request: Request) -> bytes:
        sound = bytearray()
        async for part in request.stream():
            sound += part
            if len(sound) > self._limit:
                raise UsageError(
                    f"This window is longer than {self._window_s:g} s, the most that "
                    f"{self._recogniser.name} takes ({self._limit} bytes). Cut it first."
                )
        if len(sound) % protocol.SAMPLE_BYTES:
            raise UsageError(
                f"{len(sound)} bytes are no whole number of samples: the body is mono PCM16 "
                f"little-endian at {protocol.SAMPLE_RATE} Hz."
            )
        return bytes(sound)


async def _refuse(_request: Request, error: Exception) -> Response:
    if not isinstance(error, VoxgateError):
        raise error
    line = protocol.encode(protocol.Failure.of(error))
    return Response(line, error.status, media_type=protocol.NDJSON)


async def _left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it: the caller left before the sound was here
