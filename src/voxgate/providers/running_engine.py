"""`RunningEngine`: an engine's process, its client, and the watchdog that finds stalls."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from voxgate.errors import EngineError, VoxgateError
from voxgate.providers.engine_client import BrokenOffError, EngineClient, NotListeningError
from voxgate.providers.engine_process import EngineProcess

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings

    E = TypeVar("E")
    EngineCall: TypeAlias = Callable[[EngineClient], AsyncGenerator[E, None]]

log = logging.getLogger("voxgate.engine")

PROCESS_END_S = 5.0  # between the end of a connection and the end of its process


class RunningEngine:
    """A started engine, until its process ends. Create it with `start`."""

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
        """Start an engine. Raise `EngineStartError`. Cancelling leaves nothing behind."""
        process = await EngineProcess.start(spec, settings)
        return cls(process, settings.engine_patience_s)

    async def send(self, call: EngineCall[E]) -> AsyncGenerator[E, None]:
        """Yield the events of one call. Raise `NotListeningError` for an engine that is ending.

        `call` is given the engine's client: it transcribes or aligns a window, or answers.
        """
        async with self._watched():
            try:
                async with aclosing(call(self._client)) as events:
                    async for event in events:
                        self._watchdog.note_progress()
                        yield event
            except BrokenOffError as error:
                failure = await self._broken_off_error()
                log.info("%s", failure.sentence)  # nobody is told where the next attempt works
                raise failure from error

    async def stop(self, grace_s: float) -> None:
        """End the process, after at most `grace_s` seconds for windows in flight."""
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

    async def _broken_off_error(self) -> VoxgateError:
        """Return the error for a connection that broke off, by how the process ended."""
        model = self.process.model
        if not await self.process.wait(PROCESS_END_S):
            return EngineError(
                f"The engine of {model} broke off a window and still runs. Send the window again."
            )
        if self._stalled:
            return EngineError(
                f"The engine of {model} {self._stalled} and was ended. Send the window again: "
                f"a new engine takes it. VOXGATE_ENGINE_PATIENCE_S sets how long to wait.",
                code="engine_stalled",
            )
        if self._stopped:
            return EngineError(
                f"The engine of {model} was closed before the window's end. Send the recording "
                f"again.",
                code="engine_closed",
            )
        return EngineError(
            f"The engine of {model} {self.process.end_reason} in the middle of a window. Send "
            f"the window again: a new engine takes it.",
            code="engine_died",
        )


class Watchdog:
    """Polls an engine's health while it has work, to find out whether it stalls.

    An engine that ends after SIGTERM no longer listens. Its events show that it works: call
    `note_progress` for each.
    """

    def __init__(self, client: EngineClient, patience_s: float) -> None:
        self._client = client
        self._patience_s = patience_s
        self._interval_s = min(patience_s / 10, 1.0)
        self._last_progress = time.monotonic()

    def note_progress(self) -> None:
        """Record that the engine works."""
        self._last_progress = time.monotonic()

    async def watch(self) -> str:
        """Wait until the engine stalls; return how, as the predicate of a sentence."""
        self.note_progress()
        while True:
            await asyncio.sleep(self._interval_s)
            if reason := await self._stall_reason():
                return reason

    async def _stall_reason(self) -> str | None:
        try:
            async with asyncio.timeout(self._patience_s):
                health = await self._client.health()
        except TimeoutError:
            return f"did not answer for {self._patience_s:g} s"
        except (NotListeningError, BrokenOffError, EngineError):
            silent_s = time.monotonic() - self._last_progress
        else:
            self.note_progress()
            silent_s = health.step_age_s or 0.0
        return f"took no step for {silent_s:.0f} s" if silent_s >= self._patience_s else None
