"""`LocalEngine`: a model on this machine, in a process of its own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from voxgate.engine.catalogue import ModelSpec, find, missing
from voxgate.errors import EngineClosedError, EngineDiedError, NoWeightsError, UsageError
from voxgate.providers.engine_client import NotListeningError
from voxgate.providers.running_engine import RunningEngine
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from voxgate.audio.recording import Audio
    from voxgate.providers.base import Capabilities
    from voxgate.transcript.values import Event, Options

GRACE_S = 5.0  # for windows in flight when the provider is closed


class LocalEngine:
    """A `Provider` that starts its engine at first use and keeps it.

    An engine that dies costs exactly the windows it had in flight; the next call starts another.
    One that was told to leave (SIGTERM) finishes what it has, while later calls meet its successor.
    Nothing is retried here: a window is given to one engine once.
    """

    def __init__(self, model: ModelSpec | str, settings: Settings | None = None) -> None:
        self._spec = find(model) if isinstance(model, str) else model
        self._settings = settings or Settings.read()
        self._engine: RunningEngine | None = None
        self._leaving: set[RunningEngine] = set()
        self._starting: asyncio.Task[RunningEngine] | None = None
        self._lock = asyncio.Lock()  # starting and closing
        self._closed = asyncio.Event()

    @property
    def name(self) -> str:
        """The model's full name."""
        return self._spec.name

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do."""
        return self._spec.capabilities

    @property
    def pid(self) -> int | None:
        """The engine's process, while one is alive."""
        engine = self._engine
        return engine.process.pid if engine is not None and engine.process.alive else None

    async def transcribe(self, window: Audio, options: Options) -> AsyncGenerator[Event, None]:
        """Events of one window, `Done` the last; closing the iterator cancels the work.

        Raises `UsageError` and `UnsupportedLanguageError` before anything is started,
        `EngineStartError` when no engine can be had, `EngineDiedError` and `EngineStalledError`
        when it was lost with this window, `EngineClosedError` after `aclose`.
        """
        self._check(window, options)
        pcm16 = window.pcm16()
        for _ in range(2):  # the engine at hand may be leaving; its successor was started just now
            engine = await self._running()
            try:
                async with aclosing(engine.transcribe(pcm16, options)) as events:
                    async for event in events:
                        yield event
            except NotListeningError:  # it has not been given anything
                self._retire(engine)
            else:
                return
        raise EngineDiedError(
            f"The engine of {self.name} ended as soon as it was ready. Give the window again."
        )

    async def warm(self) -> None:
        """Start the engine now, if none runs. Raises `EngineStartError`."""
        await self._running()

    async def aclose(self) -> None:
        """End every process; windows in flight have `GRACE_S` seconds. May be called again."""
        self._closed.set()
        if self._starting is not None:
            self._starting.cancel()
        async with self._lock:
            if self._engine is not None:
                self._retire(self._engine)
            leaving, self._leaving = self._leaving, set()
            await asyncio.gather(*(engine.stop(GRACE_S) for engine in leaving))

    def _check(self, window: Audio, options: Options) -> None:
        self.capabilities.check(self.name, options)
        if window.duration_s > self.capabilities.window_s:
            raise UsageError(
                f"A window of {window.duration_s:.2f} s is longer than {self.name} takes "
                f"({self.capabilities.window_s:g} s). Cut the recording first."
            )

    async def _running(self) -> RunningEngine:
        async with self._lock:
            self._leaving = {engine for engine in self._leaving if engine.process.alive}
            if self._engine is None or not self._engine.process.alive:
                self._engine = await self._start()
            return self._engine

    async def _start(self) -> RunningEngine:
        if self._closed.is_set():
            raise self._after_the_end()
        if absent := missing(self._spec):
            raise NoWeightsError(absent)
        self._starting = asyncio.create_task(RunningEngine.start(self._spec, self._settings))
        try:
            return await self._starting  # our own cancellation cancels it too, and waits for it
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed.is_set() and task is not None and not task.cancelling():
                raise self._after_the_end() from None
            raise
        finally:
            self._starting = None

    def _retire(self, engine: RunningEngine) -> None:
        self._leaving.add(engine)
        if self._engine is engine:
            self._engine = None

    def _after_the_end(self) -> EngineClosedError:
        return EngineClosedError(f"The engine of {self.name} was closed and does not start again.")
