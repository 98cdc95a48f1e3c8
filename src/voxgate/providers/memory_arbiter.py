"""`MemoryArbiter`: the memory that engines share. Who may load, who waits, and who makes place.

Models that fit together stay together. Where a model does not fit beside the others, those without
work leave first, the longest idle before the rest; those with work keep their turn for `turn_s` and
then let their windows in hand end. What waits is served in the order in which it came, so that two
models that never fit together take turns however busy both are.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from voxgate.errors import InsufficientMemoryError, ModelTooLargeError
from voxgate.hardware.memory import format_bytes, free_bytes, total_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from voxgate.settings import Settings


LULL_S = 1.0
"""A model that has had no window for so long is out of work: shorter gaps are within recordings."""

WARM_KEPT_S = 15.0
"""How long a model that was loaded for somebody who comes later keeps its place for them."""

SHORT_S = 5.0
"""For how long memory must be short before a model is refused: others let go of theirs."""

MEMORY_POLL_S = 0.5  # how often a model that waits looks whether memory has become free


class EvictableEngine(Protocol):
    """A model's engine, as far as its memory is concerned."""

    in_use: int  # windows in flight

    @property
    def name(self) -> str:
        """The model's."""

    @property
    def needs(self) -> Mapping[str | None, int]:
        """Bytes that it takes of memory, all included, by profile."""

    @property
    def profile(self) -> str | None:
        """The one that it is loaded in."""

    @property
    def alive(self) -> bool:
        """Whether its engine is loaded and takes windows."""

    @property
    def mapped(self) -> int:
        """Bytes of files that its engine works with: the system calls them free all the same."""

    @property
    def leaving(self) -> int:
        """How many of its engines have been told to leave and still take memory."""

    async def vacate(self) -> None:
        """End its engine, which has nothing in hand."""


class _Stay:
    """A tenant's time in the room."""

    def __init__(self) -> None:
        self.since = self.used = time.monotonic()


class MemoryArbiter:
    """One machine's, or one card's, within one event loop."""

    def __init__(
        self,
        most_bytes: int,
        turn_s: float,
        free: Callable[[], int] = free_bytes,
        device: str = "cpu",
    ) -> None:
        """`most_bytes` is what all engines together may take; `free` what the system has left."""
        self._most, self._turn_s, self._free, self._device = most_bytes, turn_s, free, device
        self._stays: dict[EvictableEngine, _Stay] = {}
        self._door = asyncio.Lock()  # fair: who comes first is let in first
        self._at_door = 0
        self._changed = asyncio.Event()

    @classmethod
    def of(cls, settings: Settings, device: str = "cpu") -> MemoryArbiter:
        """A device's, as far as the settings leave it to engines."""
        most = min(settings.engine_memory_bytes, total_bytes(device))
        return cls(most, settings.engine_turn_s, partial(free_bytes, device), device)

    def check(self, tenant: EvictableEngine) -> None:
        """Raise where the model could not be loaded if all others left.

        `ModelTooLargeError` where engines may never have so much, `InsufficientMemoryError` where
        other programs have it now.
        """
        if _resident(tenant):
            return
        need, others = _needed(tenant), {tenant, *self._stays}
        # Of those that load, what they have taken and what they will take comes back alike.
        most = self._free() + sum(_anonymous(other) + _due(other) for other in others)
        if need > self._most:
            raise ModelTooLargeError(_sentence(tenant, self._most, self._device))
        if need > most:
            raise InsufficientMemoryError(_sentence(tenant, most, self._device))

    def fits(self, tenant: EvictableEngine) -> bool:
        """Whether it could be loaded now, beside what is loaded and what is about to be."""
        need, taken = _needed(tenant), sum(map(_held, self._stays))
        due = sum(_due(other) for other in self._stays if other is not tenant)
        mapped = sum(other.mapped for other in self._stays)
        return need + due + taken <= self._most and need + due + mapped <= self._free()

    def settle(self, tenant: EvictableEngine) -> None:
        """Begin its turn: it is loaded now."""
        self._stays.setdefault(tenant, _Stay()).since = time.monotonic()

    @asynccontextmanager
    async def window(self, tenant: EvictableEngine, *, kept_s: float = 0.0) -> AsyncIterator[None]:
        """Have place for a window inside, and for `kept_s` seconds after it.

        Raises what `check` raises, once it has held for `SHORT_S`.
        """
        await self._enter(tenant)
        try:
            yield
        finally:
            tenant.in_use -= 1
            self._stays[tenant].used = time.monotonic() + kept_s
            self._changed.set()

    async def _enter(self, tenant: EvictableEngine) -> None:
        if not _resident(tenant) or (self._at_door and self._is_over(tenant)):
            self._at_door += 1
            try:
                async with self._door:
                    await self._place(tenant)
            finally:
                self._at_door -= 1
        self._stays.setdefault(tenant, _Stay())
        tenant.in_use += 1

    async def _place(self, tenant: EvictableEngine) -> None:
        """Return when the tenant may load, or has not had to leave meanwhile."""
        short_since = math.inf
        while not _resident(tenant):
            try:
                self.check(tenant)
                short_since = math.inf
            except InsufficientMemoryError:
                short_since = min(short_since, time.monotonic())
                if time.monotonic() - short_since >= SHORT_S:
                    raise
            if self.fits(tenant):
                self._stays[tenant] = _Stay()
                return
            if leaving := self._next_to_leave(tenant):
                await leaving.vacate()
                continue
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), MEMORY_POLL_S)

    def _next_to_leave(self, tenant: EvictableEngine) -> EvictableEngine | None:
        able = [other for other in self._stays if other is not tenant and self._can_leave(other)]
        return min(able, key=lambda other: self._stays[other].used, default=None)

    def _can_leave(self, tenant: EvictableEngine) -> bool:
        if tenant.in_use or not tenant.alive:
            return False
        return self._is_over(tenant) or time.monotonic() - self._stays[tenant].used >= LULL_S

    def _is_over(self, tenant: EvictableEngine) -> bool:
        """Whether it has had its turn."""
        return time.monotonic() - self._stays[tenant].since >= self._turn_s


def _needed(tenant: EvictableEngine) -> int:
    """0 where nobody knows: it is let in, and the engine says by itself what does not fit."""
    return tenant.needs.get(tenant.profile, 0)


def _resident(tenant: EvictableEngine) -> bool:
    """Whether it has its place: with its engine loaded, or about to be."""
    return tenant.alive or tenant.in_use > 0


def _held(tenant: EvictableEngine) -> int:
    """What its processes have, and the system no longer calls free."""
    return _needed(tenant) * (tenant.alive + tenant.leaving)


def _anonymous(tenant: EvictableEngine) -> int:
    """What comes back when its processes end: pages of files are called free already."""
    return max(0, _held(tenant) - tenant.mapped)


def _due(tenant: EvictableEngine) -> int:
    """What it was promised and has not taken yet."""
    return _needed(tenant) if tenant.in_use and not tenant.alive else 0


def _sentence(tenant: EvictableEngine, most: int, device: str) -> str:
    lighter = {p: n for p, n in tenant.needs.items() if n <= most and p != tenant.profile}
    advice = "Free some, raise VOXGATE_ENGINE_MEMORY_BYTES if it is set, or take a smaller model."
    if lighter:
        profile, nbytes = next(iter(lighter.items()))
        advice = (
            f"The profile '{profile}' takes {format_bytes(nbytes)} and would fit: "
            f"VOXGATE_PROFILE={profile}."
        )
    if device != "cpu":
        advice = f"{advice} VOXGATE_DEVICE=cpu takes the processor and the machine's memory."
    where = "memory" if device == "cpu" else f"{device}'s memory"
    return (
        f"{tenant.name} takes {format_bytes(_needed(tenant))} of {where}, and engines can have "
        f"{format_bytes(most)} here. {advice}"
    )


# `MemoryArbiters`: a room for each device: a model on a card takes no memory from those on a
# processor.


class MemoryArbiters:
    """The machine's and its cards', each made when its first model comes. Of one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rooms: dict[str, MemoryArbiter] = {}

    def of(self, device: str) -> MemoryArbiter:
        """That of `cpu` or `cuda:N`."""
        if device not in self._rooms:
            self._rooms[device] = MemoryArbiter.of(self._settings, device)
        return self._rooms[device]
