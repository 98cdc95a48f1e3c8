"""The engine's HTTP face: `GET /health` and `POST /transcribe` on one loaded model."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from voxgate.engine import protocol
from voxgate.engine.stream import EventStream
from voxgate.errors import UsageError, VoxgateError

if TYPE_CHECKING:
    from voxgate.engine.recogniser import Recogniser
    from voxgate.engine.scheduler import Scheduler


def create_app(recogniser: Recogniser, scheduler: Scheduler) -> Starlette:
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
    def __init__(self, recogniser: Recogniser, scheduler: Scheduler) -> None:
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
        self._recogniser.capabilities.check(model, options)
        pcm16 = await self._sound(request)
        stream = EventStream(
            self._scheduler, model, lambda: self._recogniser.recognise(pcm16, options), self._rest
        )
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
