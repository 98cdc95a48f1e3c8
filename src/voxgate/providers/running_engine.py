"""`RunningEngine`: a process, the client that speaks to it, and the watchdog over both."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from voxgate.errors import (
    EngineClosedError,
    EngineDiedError,
    EngineError,
    EngineStalledError,
    VoxgateError,
)
from voxgate.providers.engine_client import BrokenOffError, EngineClient, NotListeningError
from voxgate.providers.engine_process import EngineProcess

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings
    from voxgate.transcript.values import Event, Options


# `Watchdog`: finds out that an engine with work has come to a stop.


class Watchdog:
    """Asks an engine for its health while it has work.

    An engine that cannot be asked, because it leaves after SIGTERM and no longer listens, shows by
    its events that it works: `sign` is called for each.
    """

    def __init__(self, client: EngineClient, patience_s: float) -> None:
        self._client = client
        self._patience_s = patience_s
        self._interval_s = min(patience_s / 10, 1.0)
        self._last_sign = time.monotonic()

    def sign(self) -> None:
        """The engine was seen at work."""
        self._last_sign = time.monotonic()

    async def watch(self) -> str:
        """Return, once the engine stands still, half a sentence that says how that showed."""
        self.sign()
        while True:
            await asyncio.sleep(self._interval_s)
            if reason := await self._look():
                return reason

    async def _look(self) -> str | None:
        try:
            async with asyncio.timeout(self._patience_s):
                health = await self._client.health()
        except TimeoutError:
            return f"did not answer for {self._patience_s:g} s"
        except (NotListeningError, BrokenOffError, EngineError):
            silent_s = time.monotonic() - self._last_sign
        else:
            self.sign()
            silent_s = health.step_age_s or 0.0
        return f"took no step for {silent_s:.0f} s" if silent_s >= self._patience_s else None


LAST_BREATH_S = 5.0  # between the end of a connection and the end of the process behind it


class RunningEngine:
    """A started engine, until its process ends. Made by `start`."""

    def __init__(self, process: EngineProcess, patience_s: float) -> None:
        self.process = process
        self._client = EngineClient(process.socket)
        self._watchdog = Watchdog(self._client, patience_s)
        self._watch: asyncio.Task[None] | None = None
        self._in_flight = 0
        self._stalled: str | None = None
        self._stopped = False

    @classmethod
    async def start(cls, spec: ModelSpec, settings: Settings) -> RunningEngine:
        """Raises `EngineStartError`. Cancelling leaves nothing behind."""
        process = await EngineProcess.start(spec, settings)
        return cls(process, settings.engine_patience_s)

    async def transcribe(self, pcm16: bytes, options: Options) -> AsyncGenerator[Event, None]:
        """The window's events. Raises `NotListeningError` when the engine no longer takes any."""
        async with self._watched():
            try:
                async with aclosing(self._client.transcribe(pcm16, options)) as events:
                    async for event in events:
                        self._watchdog.sign()
                        yield event
            except BrokenOffError as error:
                raise await self._verdict() from error

    async def stop(self, grace_s: float) -> None:
        """End the process, after `grace_s` seconds for windows in flight. May be called again."""
        self._stopped = True
        await self.process.stop(grace_s)

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        self._in_flight += 1
        if self._watch is None:
            self._watch = asyncio.create_task(self._kill_when_stalled())
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                watch, self._watch = self._watch, None
                watch.cancel()
                await asyncio.wait([watch])

    async def _kill_when_stalled(self) -> None:
        self._stalled = await self._watchdog.watch()
        self.process.kill()

    async def _verdict(self) -> VoxgateError:
        """Why a connection broke off: what the process's end says."""
        model = self.process.model
        if not await self.process.ended(LAST_BREATH_S):
            return EngineError(
                f"The engine of {model} broke off a window and still runs. Give the window again."
            )
        if self._stalled:
            return EngineStalledError(
                f"The engine of {model} {self._stalled} and was ended. Give the window again: it "
                f"meets a fresh engine. VOXGATE_ENGINE_PATIENCE_S sets how long is waited."
            )
        if self._stopped:
            return EngineClosedError(f"The engine of {model} was closed before the window's end.")
        return EngineDiedError(
            f"The engine of {model} {self.process.how_it_ended} in the middle of a window. Give "
            f"the window again: it meets a fresh engine."
        )
