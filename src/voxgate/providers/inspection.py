"""`LoadedEngine`: the running engines of this machine, whoever started them, and their state."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from voxgate.errors import EngineError, VoxgateError
from voxgate.hardware import gpu, memory
from voxgate.models.running import RUN_FOLDER, running_engines
from voxgate.providers.engine_client import BrokenOffError, EngineClient, NotListeningError

if TYPE_CHECKING:
    from voxgate.engine.protocol import Health
    from voxgate.models.running import EngineRecord
    from voxgate.settings import Settings

HEALTH_TIMEOUT_S = 2.0  # for an engine's response
EXIT_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """One engine. Without `health` it is loading, ending or stalled."""

    record: EngineRecord
    health: Health | None
    memory_bytes: int | None  # resident memory of its process; None where unknown

    @property
    def state(self) -> Literal["loading", "idle", "working", "silent"]:
        """Its state; `silent` is an engine that was ready and does not respond."""
        if self.health is not None:
            return "working" if self.health.active or self.health.queued else "idle"
        return "silent" if Path(self.record.socket).exists() else "loading"


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """The memory of this machine or of one GPU, in bytes."""

    device: str
    free: int
    total: int


def inspect_memory() -> list[DeviceMemory]:
    """Return the memory of this machine, or of its container, and of each GPU that models use."""
    machine = DeviceMemory("This machine", memory.free_bytes(), memory.total_bytes())
    cards = [
        DeviceMemory(f"{each.name} (cuda:{index})", each.free_bytes, each.total_bytes)
        for index, each in enumerate(gpu.visible_gpus())
    ]
    return [machine, *cards]


async def inspect_engines(settings: Settings) -> list[LoadedEngine]:
    """Return all engines of a home by their start, each with its health."""
    records = running_engines(settings.home / RUN_FOLDER)
    healths = await asyncio.gather(*(_health(record) for record in records))
    return [
        LoadedEngine(record, health, _resident_bytes(record.pid))
        for record, health in zip(records, healths, strict=True)
    ]


async def unload_engine(record: EngineRecord, timeout_s: float) -> None:
    """Ask an engine to finish its windows and end; return when it has ended.

    Its owner starts another engine at the model's next window. Raises `EngineError` when the engine
    has not ended after `timeout_s` seconds.
    """
    with suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(timeout_s):
            while _can_signal(record.pid):  # noqa: ASYNC110 (another process's child)
                await asyncio.sleep(EXIT_POLL_S)
    except TimeoutError:
        raise EngineError(
            f"The engine of {record.model} still works after {timeout_s:g} s, and ends when its "
            f"windows are done. `kill -9 {record.pid}` does not wait for them."
        ) from None


async def _health(record: EngineRecord) -> Health | None:
    with suppress(TimeoutError, NotListeningError, BrokenOffError, VoxgateError):
        async with asyncio.timeout(HEALTH_TIMEOUT_S):
            return await EngineClient(Path(record.socket)).health()
    return None


def _can_signal(pid: int) -> bool:
    """Return whether a process of this user has this id."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _resident_bytes(pid: int) -> int | None:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
