"""`LocalEngine`: the provider of a model on this machine, whose engine is its own process."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from voxgate.errors import EngineError, EngineStartError
from voxgate.hardware import gpu
from voxgate.hardware.memory import file_mapped_bytes
from voxgate.models.available import install_model
from voxgate.models.catalogue import ModelSpec, check_installed, find_model
from voxgate.models.footprint import memory_by_profile
from voxgate.providers.background_load import BackgroundLoad
from voxgate.providers.engine_client import NotListeningError
from voxgate.providers.memory_arbiter import WARM_HOLD_S, MemoryArbiter
from voxgate.providers.running_engine import RunningEngine
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from voxgate.answers.values import AnswerEvent, Question
    from voxgate.audio.spool import Audio
    from voxgate.providers.base import Capabilities
    from voxgate.providers.running_engine import EngineCall
    from voxgate.transcript.values import Event, Options

E = TypeVar("E")

RETIRED_GRACE_S = 36.0  # for an engine that others told to end: its grace, last step and a second
STOP_GRACE_S = 5.0  # for windows in flight when the provider is closed


class LocalEngine:
    """A `Provider` that starts its engine at the first window, and ends it after a long idle time.

    The engine's memory is granted by a `MemoryArbiter`, which it shares with other models' engines.
    An engine that dies loses exactly its windows in flight; the next call starts another. An engine
    that receives SIGTERM finishes its windows, while later calls go to its successor. Nothing is
    retried here: a window is given to one engine once.
    """

    def __init__(
        self,
        model: ModelSpec | str,
        settings: Settings | None = None,
        arbiter: MemoryArbiter | None = None,
    ) -> None:
        """Without an `arbiter` the engine gets its own. Raises as `find_model` does."""
        self._spec = find_model(model) if isinstance(model, str) else model
        self._settings = settings or Settings.read()
        self._arbiter = arbiter or MemoryArbiter.from_settings(self._settings, self._spec.device)
        self.bytes_by_profile = memory_by_profile(self._spec)
        self.in_use = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        weight_bytes = self.bytes_by_profile.get(self.profile, 0)
        self._background_load = BackgroundLoad(self.name, self.warm, weight_bytes)
        self._idle_stop: asyncio.Task[None] | None = None  # keeps a reference to the task
        self._engine: RunningEngine | None = None
        self._retired: set[RunningEngine] = set()  # engines that accept no more windows
        self._starting: asyncio.Task[RunningEngine] | None = None
        self._lock = asyncio.Lock()  # held while an engine starts, is evicted or is closed
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
        """The revision of an installed checkpoint."""
        return self._spec.revision

    @property
    def profile(self) -> str | None:
        """The profile of the weights."""
        return self._spec.profile

    @property
    def alive(self) -> bool:
        """Whether its engine is loaded and accepts windows."""
        return self._engine is not None and self._engine.process.alive

    @property
    def has_room(self) -> bool:
        """Whether its engine is loaded, or fits beside those that are."""
        return self.alive or self._arbiter.fits(self)

    @property
    def mapped_bytes(self) -> int:
        """Bytes of files mapped by its engine: its weights, where they are mapped."""
        if self.pid is None or self._spec.device != "cpu":  # a GPU's memory maps no files
            return 0
        return file_mapped_bytes(self.pid)

    @property
    def retired_count(self) -> int:
        """How many of its engines accept no more windows and have not ended."""
        return sum(engine.process.alive for engine in self._retired)

    @property
    def pid(self) -> int | None:
        """The id of the engine's process; None while there is none."""
        engine = self._engine
        return engine.process.pid if engine is not None and engine.process.alive else None

    async def transcribe(self, window: Audio, options: Options) -> AsyncGenerator[Event, None]:
        """Yield the events of one window; `Done` is the last. Closing the iterator cancels it.

        The engine refuses what the model cannot do (`UsageError`, `UsageError`
        (`unsupported_language`)). Raises `EngineStartError` when no engine can start, `EngineError`
        (`engine_died`) and `EngineError` (`engine_stalled`) when the engine was lost with this
        window, and `EngineError` (`engine_closed`) after `aclose`.
        """
        pcm16 = window.pcm16()
        async with aclosing(self._send(lambda its: its.transcribe(pcm16, options))) as events:
            async for event in events:
                yield event

    async def align(
        self, window: Audio, text: str, language: str | None
    ) -> AsyncGenerator[Event, None]:
        """Yield a text as segments with timed words; raises what `transcribe` raises."""
        pcm16 = window.pcm16()
        async with aclosing(self._send(lambda its: its.align(pcm16, text, language))) as events:
            async for event in events:
                yield event

    async def answer(
        self, question: Question, sounds: Sequence[Audio]
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yield the answer to a question; `Answered` is the last event.

        Raises what `transcribe` raises, and `UsageError` (`context_exceeded`).
        """
        pcm16 = b"".join([sound.pcm16() for sound in sounds])
        async with aclosing(self._send(lambda its: its.answer(question, pcm16))) as events:
            async for event in events:
                yield event

    async def warm(self) -> None:
        """Start the engine now, if none runs, for windows that come soon."""
        async with self._admitted(hold_s=WARM_HOLD_S):
            await self._running_engine()

    def admit(self) -> None:
        """Raise when no recording should begin now: see `Provider.admit`."""
        if self._spec.device != "cpu" and (reason := gpu.why_unusable()):
            raise EngineStartError(
                f"{self._spec.name} is to compute on '{self._spec.device}', and {reason}. "
                f"VOXGATE_DEVICE=cpu works without a GPU; `voxgate doctor` shows what is here.",
                code="no_endpoints",
            )
        self._arbiter.check(self)
        if self._settings.while_loading == "refuse" and not self.alive:
            self._background_load.refuse()

    async def evict(self) -> None:
        """End the engine, which has no window in flight; return when its memory is free."""
        async with self._lock:
            if self._engine is not None and not self.in_use:
                self._retire(self._engine)
            await asyncio.gather(*(engine.stop(STOP_GRACE_S) for engine in self._retired))

    async def aclose(self) -> None:
        """End every process; windows in flight have `STOP_GRACE_S` seconds. May be called again."""
        self._closed.set()
        self._cancel_idle_timer()
        await self._background_load.aclose()
        if self._starting is not None:
            self._starting.cancel()
        async with self._lock:
            if self._engine is not None:
                self._retire(self._engine)
            retired, self._retired = self._retired, set()
            await asyncio.gather(*(engine.stop(STOP_GRACE_S) for engine in retired))

    @asynccontextmanager
    async def _admitted(self, hold_s: float = 0.0) -> AsyncIterator[None]:
        """Have memory inside the context. The end of the last one starts the idle timer."""
        try:
            async with self._arbiter.admit(self, hold_s=hold_s):
                self._cancel_idle_timer()
                yield
        finally:
            if self._engine is not None and not self.in_use and not self._closed.is_set():
                self._cancel_idle_timer()
                loop = asyncio.get_running_loop()
                self._idle_timer = loop.call_later(self._settings.engine_idle_s, self._stop_idle)

    def _cancel_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _stop_idle(self) -> None:
        """End the engine after a long time without windows."""
        if self._engine is not None and not self.in_use:
            engine = self._engine
            self._retire(engine)
            self._idle_stop = asyncio.create_task(engine.stop(STOP_GRACE_S))

    async def _send(self, call: EngineCall[E]) -> AsyncGenerator[E, None]:
        """Give a window or a question to the engine, within its memory."""
        async with self._admitted(), aclosing(self._call_engine(call)) as events:
            async for event in events:
                yield event

    async def _call_engine(self, call: EngineCall[E]) -> AsyncGenerator[E, None]:
        for _ in range(2):  # the first engine may be ending; the second has just started
            engine = await self._running_engine()
            try:
                async with aclosing(engine.send(call)) as events:
                    async for event in events:
                        yield event
            except NotListeningError:  # it has not received the window
                self._retire(engine)
            else:
                return
        raise EngineError(
            f"The engine of {self.name} ended as soon as it was ready. Send the window again.",
            code="engine_died",
        )

    async def _running_engine(self) -> RunningEngine:
        """Return the engine; start it when none runs."""
        async with self._lock:
            self._retired = {engine for engine in self._retired if engine.process.alive}
            if self._engine is None or not self._engine.process.alive:
                self._engine = await self._start()
            return self._engine

    async def _start(self) -> RunningEngine:
        if self._closed.is_set():
            raise self._closed_error()
        check_installed(self._spec)
        self._starting = asyncio.create_task(self._start_engine())
        try:
            return await self._starting  # a cancelled caller cancels it too, and waits for it
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed.is_set() and task is not None and not task.cancelling():
                raise self._closed_error() from None
            raise
        finally:
            self._starting = None

    async def _start_engine(self) -> RunningEngine:
        """Start an engine, after the end of retired ones where memory is short."""
        while not self._arbiter.fits(self) and (
            retired := [engine for engine in self._retired if engine.process.alive]
        ):
            if not await retired[0].process.wait(RETIRED_GRACE_S):
                retired[0].process.kill()  # nothing else ends it
        spec = await asyncio.to_thread(install_model, self._spec, self._settings)
        engine = await RunningEngine.start(spec, self._settings)
        self._arbiter.note_loaded(self)
        return engine

    def _retire(self, engine: RunningEngine) -> None:
        """Give the engine no more windows."""
        self._retired.add(engine)
        if self._engine is engine:
            self._engine = None

    def _closed_error(self) -> EngineError:
        return EngineError(
            f"The engine of {self.name} was closed with its session, and does not start again. "
            f"Open another session.",
            code="engine_closed",
        )
