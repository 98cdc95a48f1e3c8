"""`MemoryArbiter`: which engines may load into one device's memory, and which are evicted.

Models that fit together stay loaded together. When a model does not fit beside the others, engines
without work are evicted, the longest unused first. An engine with work keeps its memory for at
least `min_residency_s`; after that it finishes the windows in flight and is evicted. Models wait in
the order of their arrival, so that two models that never fit together alternate, however busy both
are.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from voxgate.errors import EngineStartError, InsufficientMemoryError
from voxgate.hardware.memory import format_bytes, free_bytes, total_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from voxgate.settings import Settings

IDLE_AFTER_S = 1.0
"""An engine without a window for so long has no work: gaps within a recording are shorter."""

WARM_HOLD_S = 15.0
"""How long a model that was loaded ahead of its first window keeps its memory for it."""

SHORTAGE_S = 5.0
"""How long memory must be short before a model is refused: other programs may free theirs."""

MEMORY_POLL_S = 0.5  # how often a waiting model checks whether memory has become free


class EvictableEngine(Protocol):
    """A model's engine, as the memory arbiter sees it."""

    in_use: int  # windows in flight

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def bytes_by_profile(self) -> Mapping[str | None, int]:
        """Bytes of memory that the engine takes in total, by profile."""

    @property
    def profile(self) -> str | None:
        """The profile that it is loaded in."""

    @property
    def alive(self) -> bool:
        """Whether its engine is loaded and accepts windows."""

    @property
    def mapped_bytes(self) -> int:
        """Bytes of mapped files that its engine works with; the system counts them as free."""

    @property
    def retired_count(self) -> int:
        """How many of its engines are about to end and still take memory."""

    async def evict(self) -> None:
        """End its engine, which has no window in flight; return when its memory is free."""


class _Residency:
    """When an engine was loaded, and when it was last used."""

    def __init__(self) -> None:
        self.since = self.last_used = time.monotonic()


class MemoryArbiters:
    """One arbiter for each device: a model on a GPU takes no memory of the machine's engines.

    An arbiter is created for its device's first model. All belong to one event loop.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._arbiters: dict[str, MemoryArbiter] = {}

    def for_device(self, device: str) -> MemoryArbiter:
        """Return the arbiter of `cpu` or `cuda:N`."""
        if device not in self._arbiters:
            self._arbiters[device] = MemoryArbiter.from_settings(self._settings, device)
        return self._arbiters[device]


class MemoryArbiter:
    """The memory of the machine, or of one GPU, within one event loop."""

    def __init__(
        self,
        limit_bytes: int,
        min_residency_s: float,
        free: Callable[[], int] = free_bytes,
        device: str = "cpu",
    ) -> None:
        """`limit_bytes` is for all engines together; `free` returns what the system has left."""
        self._limit_bytes, self._min_residency_s = limit_bytes, min_residency_s
        self._free, self._device = free, device
        self._residencies: dict[EvictableEngine, _Residency] = {}
        self._admission = asyncio.Lock()  # fair: first come, first admitted
        self._waiting = 0
        self._changed = asyncio.Event()

    @classmethod
    def from_settings(cls, settings: Settings, device: str = "cpu") -> MemoryArbiter:
        """Return an arbiter of as much of a device's memory as the settings leave to engines."""
        limit = min(settings.engine_memory_bytes, total_bytes(device))
        return cls(limit, settings.engine_turn_s, partial(free_bytes, device), device)

    def check(self, engine: EvictableEngine) -> None:
        """Raise when the model could not be loaded even if all other engines ended.

        Raises `EngineStartError` (`model_too_large`) when it needs more than engines may ever have,
        and `InsufficientMemoryError` when other programs have the memory now.
        """
        if _is_resident(engine):
            return
        need, engines = _needed_bytes(engine), {engine, *self._residencies}
        # A loading engine has taken part of its memory and will take the rest: all of it returns.
        available = self._free() + sum(_freed_bytes(one) + _pending_bytes(one) for one in engines)
        if need > self._limit_bytes:
            raise EngineStartError(
                _sentence(engine, self._limit_bytes, self._device), code="model_too_large"
            )
        if need > available:
            raise InsufficientMemoryError(_sentence(engine, available, self._device))

    def fits(self, engine: EvictableEngine) -> bool:
        """Return whether the model fits beside the engines that are loaded or loading."""
        others = [one for one in self._residencies if one is not engine]
        need = _needed_bytes(engine) + sum(map(_pending_bytes, others))
        taken = sum(map(_taken_bytes, self._residencies))
        mapped = sum(one.mapped_bytes for one in self._residencies)
        return need + taken <= self._limit_bytes and need + mapped <= self._free()

    def note_loaded(self, engine: EvictableEngine) -> None:
        """Start the engine's residency: it is loaded now."""
        self._residencies.setdefault(engine, _Residency()).since = time.monotonic()

    @asynccontextmanager
    async def admit(self, engine: EvictableEngine, *, hold_s: float = 0.0) -> AsyncIterator[None]:
        """Have memory for a window inside the context, and for `hold_s` seconds after it.

        Waits for memory, and evicts other engines. Raises what `check` raises, but
        `InsufficientMemoryError` only after it has lasted for `SHORTAGE_S`.
        """
        await self._acquire(engine)
        try:
            yield
        finally:
            engine.in_use -= 1
            self._residencies[engine].last_used = time.monotonic() + hold_s
            self._changed.set()

    async def _acquire(self, engine: EvictableEngine) -> None:
        if not _is_resident(engine) or (self._waiting and self._may_be_displaced(engine)):
            self._waiting += 1
            try:
                async with self._admission:
                    await self._make_resident(engine)
            finally:
                self._waiting -= 1
        self._residencies.setdefault(engine, _Residency())
        engine.in_use += 1

    async def _make_resident(self, engine: EvictableEngine) -> None:
        """Return when the engine may load, or at once when it has not been evicted meanwhile."""
        short_since = math.inf
        while not _is_resident(engine):
            try:
                self.check(engine)
                short_since = math.inf
            except InsufficientMemoryError:
                short_since = min(short_since, time.monotonic())
                if time.monotonic() - short_since >= SHORTAGE_S:
                    raise
            if self.fits(engine):
                self._residencies[engine] = _Residency()
                return
            if victim := self._next_victim(engine):
                await victim.evict()
                continue
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), MEMORY_POLL_S)

    def _next_victim(self, engine: EvictableEngine) -> EvictableEngine | None:
        """Return the longest unused of the engines that can be evicted for this one."""
        evictable = [
            one for one in self._residencies if one is not engine and self._is_evictable(one)
        ]
        return min(evictable, key=lambda one: self._residencies[one].last_used, default=None)

    def _is_evictable(self, engine: EvictableEngine) -> bool:
        if engine.in_use or not engine.alive:
            return False
        unused_s = time.monotonic() - self._residencies[engine].last_used
        return self._may_be_displaced(engine) or unused_s >= IDLE_AFTER_S

    def _may_be_displaced(self, engine: EvictableEngine) -> bool:
        """Return whether the engine has had its minimum residency."""
        return time.monotonic() - self._residencies[engine].since >= self._min_residency_s


def _needed_bytes(engine: EvictableEngine) -> int:
    """Return what the engine needs; 0 where unknown, and then the engine itself reports it."""
    return engine.bytes_by_profile.get(engine.profile, 0)


def _is_resident(engine: EvictableEngine) -> bool:
    """Return whether the engine has its memory: it is loaded, or about to load."""
    return engine.alive or engine.in_use > 0


def _taken_bytes(engine: EvictableEngine) -> int:
    """Return what its processes have taken."""
    return _needed_bytes(engine) * (engine.alive + engine.retired_count)


def _freed_bytes(engine: EvictableEngine) -> int:
    """Return what becomes free when its processes end; mapped files are counted as free already."""
    return max(0, _taken_bytes(engine) - engine.mapped_bytes)


def _pending_bytes(engine: EvictableEngine) -> int:
    """Return what the engine was promised and has not taken yet."""
    return _needed_bytes(engine) if engine.in_use and not engine.alive else 0


def _sentence(engine: EvictableEngine, available: int, device: str) -> str:
    smaller = {
        profile: nbytes
        for profile, nbytes in engine.bytes_by_profile.items()
        if nbytes <= available and profile != engine.profile
    }
    advice = "Free some, raise VOXGATE_ENGINE_MEMORY_BYTES if it is set, or take a smaller model."
    if smaller:
        profile, nbytes = next(iter(smaller.items()))
        advice = (
            f"The profile '{profile}' takes {format_bytes(nbytes)} and would fit: "
            f"VOXGATE_PROFILE={profile}."
        )
    if device != "cpu":
        advice = f"{advice} VOXGATE_DEVICE=cpu takes the processor and the machine's memory."
    memory = "memory" if device == "cpu" else f"{device}'s memory"
    return (
        f"{engine.name} takes {format_bytes(_needed_bytes(engine))} of {memory}, and engines can "
        f"have {format_bytes(available)} here. {advice}"
    )
