"""`LocalEngine`: a model on this machine, in a process of its own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from voxgate.errors import EngineClosedError, EngineDiedError, NoWeightsError, UsageError
from voxgate.hardware import gpu
from voxgate.hardware.memory import file_mapped_bytes
from voxgate.models.catalogue import ModelSpec, find_model, why_not_installed
from voxgate.models.footprint import memory_by_profile
from voxgate.providers.engine_client import NotListeningError
from voxgate.providers.memory_arbiter import WARM_KEPT_S, MemoryArbiter
from voxgate.providers.preparation import BackgroundLoad
from voxgate.providers.running_engine import RunningEngine
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from voxgate.audio.spool import Audio
    from voxgate.providers.base import Capabilities
    from voxgate.transcript.values import Event, Options

LEAVE_S = 36.0  # an engine that was told to leave by others: its grace, its last step and a second
STOP_GRACE_S = 5.0  # for windows in flight when the provider is closed


class LocalEngine:
    """A `Provider` that starts its engine at first use, and ends it when it has long been idle.

    It is a tenant of a `MemoryArbiter`, whose memory it shares with other models' engines. An
    engine that
    dies costs exactly the windows it had in flight; the next call starts another. One that was told
    to leave (SIGTERM) finishes what it has, while later calls meet its successor.
    Nothing is retried here: a window is given to one engine once.
    """

    def __init__(
        self,
        model: ModelSpec | str,
        settings: Settings | None = None,
        room: MemoryArbiter | None = None,
    ) -> None:
        """Without a `room` it has one of its own. Raises as `find_model` does."""
        self._spec = find_model(model) if isinstance(model, str) else model
        self._settings = settings or Settings.read()
        self._room = room or MemoryArbiter.of(self._settings, self._spec.device)
        self.needs = memory_by_profile(self._spec)
        self.in_use = 0
        self._idle: asyncio.TimerHandle | None = None
        self._preparation = BackgroundLoad(self.name, self.warm, self.needs.get(self.profile, 0))
        self._going: asyncio.Task[None] | None = None  # an engine on its way out
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
    def revision(self) -> str | None:
        """Of an installed checkpoint."""
        return self._spec.revision

    @property
    def profile(self) -> str | None:
        """How the weights are held."""
        return self._spec.profile

    @property
    def alive(self) -> bool:
        """Whether its engine is loaded and takes windows."""
        return self._engine is not None and self._engine.process.alive

    @property
    def mapped(self) -> int:
        """Bytes of files in its engine's memory, its weights where they are mapped."""
        if self.pid is None or self._spec.device != "cpu":  # a card's memory maps no files
            return 0
        return file_mapped_bytes(self.pid)

    @property
    def leaving(self) -> int:
        """How many of its engines have been told to leave and have not ended."""
        return sum(engine.process.alive for engine in self._leaving)

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
        async with self._used(), aclosing(self._transcribe(pcm16, options)) as events:
            async for event in events:
                yield event

    async def warm(self) -> None:
        """Start the engine now, if none runs, for who comes soon. Raises `EngineStartError`."""
        async with self._used(kept_s=WARM_KEPT_S):
            await self._running()

    def admit(self) -> None:
        """Raise where no recording should be begun now: see `Provider.admit`."""
        if self._spec.device != "cpu" and (why := gpu.why_unusable()):
            raise NoWeightsError(
                f"{self._spec.name} is to compute on '{self._spec.device}', and {why}. "
                f"VOXGATE_DEVICE=cpu does without a card; `voxgate doctor` says what is here."
            )
        self._room.check(self)
        if self._settings.while_loading == "refuse" and not self.alive:
            self._preparation.refuse()

    async def vacate(self) -> None:
        """End the engine, which has nothing in hand; return when its memory is free."""
        async with self._lock:
            if self._engine is not None and not self.in_use:
                self._retire(self._engine)
            await asyncio.gather(*(engine.stop(STOP_GRACE_S) for engine in self._leaving))

    async def aclose(self) -> None:
        """End every process; windows in flight have `STOP_GRACE_S` seconds. May be called again."""
        self._closed.set()
        self._rouse()
        await self._preparation.aclose()
        if self._starting is not None:
            self._starting.cancel()
        async with self._lock:
            if self._engine is not None:
                self._retire(self._engine)
            leaving, self._leaving = self._leaving, set()
            await asyncio.gather(*(engine.stop(STOP_GRACE_S) for engine in leaving))

    @asynccontextmanager
    async def _used(self, kept_s: float = 0.0) -> AsyncIterator[None]:
        """Have a place in memory inside. After the last one the time without work is counted."""
        try:
            async with self._room.window(self, kept_s=kept_s):
                self._rouse()
                yield
        finally:
            if self._engine is not None and not self.in_use and not self._closed.is_set():
                self._rouse()
                loop = asyncio.get_running_loop()
                self._idle = loop.call_later(self._settings.engine_idle_s, self._doze)

    def _rouse(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _doze(self) -> None:
        """Let an engine go that nobody has used for long."""
        if self._engine is not None and not self.in_use:
            engine = self._engine
            self._retire(engine)
            self._going = asyncio.create_task(engine.stop(STOP_GRACE_S))

    async def _transcribe(self, pcm16: bytes, options: Options) -> AsyncGenerator[Event, None]:
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
        if absent := why_not_installed(self._spec):
            raise NoWeightsError(absent)
        self._starting = asyncio.create_task(self._succeed())
        try:
            return await self._starting  # our own cancellation cancels it too, and waits for it
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed.is_set() and task is not None and not task.cancelling():
                raise self._after_the_end() from None
            raise
        finally:
            self._starting = None

    async def _succeed(self) -> RunningEngine:
        """Start an engine; the one before it, if it still works, leaves first if it must."""
        while not self._room.fits(self) and (
            leaving := [e for e in self._leaving if e.process.alive]
        ):
            if not await leaving[0].process.ended(LEAVE_S):
                leaving[0].process.kill()  # nobody else waits for it
        engine = await RunningEngine.start(self._spec, self._settings)
        self._room.settle(self)
        return engine

    def _retire(self, engine: RunningEngine) -> None:
        self._leaving.add(engine)
        if self._engine is engine:
            self._engine = None

    def _after_the_end(self) -> EngineClosedError:
        return EngineClosedError(f"The engine of {self.name} was closed and does not start again.")
