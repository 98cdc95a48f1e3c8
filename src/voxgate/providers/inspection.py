"""`LoadedEngine`: the engines that live on this machine, whoever started them, and how they are."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from voxgate.errors import EngineError, VoxgateError
from voxgate.models.running import RUN_FOLDER, running_engines
from voxgate.providers.engine_client import BrokenOffError, EngineClient, NotListeningError

if TYPE_CHECKING:
    from voxgate.engine.protocol import Health
    from voxgate.models.running import EngineRecord
    from voxgate.settings import Settings

HEALTH_TIMEOUT_S = 2.0  # how long an engine may take to say how it is
EXIT_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """One engine. Without `health` it loads, leaves, or stands still."""

    plate: EngineRecord
    health: Health | None
    memory_bytes: int | None  # that its process has now; None where the system does not say

    @property
    def state(self) -> Literal["loading", "idle", "working", "silent"]:
        """`silent` is one that has been ready and does not answer."""
        if self.health is not None:
            return "working" if self.health.active or self.health.queued else "idle"
        return "silent" if Path(self.plate.socket).exists() else "loading"


async def inspect_engines(settings: Settings) -> list[LoadedEngine]:
    """All of a home, by their start; each is asked how it is."""
    found = running_engines(settings.home / RUN_FOLDER)
    healths = await asyncio.gather(*(_health(plate) for plate in found))
    return [
        LoadedEngine(plate, health, _memory_of(plate.pid))
        for plate, health in zip(found, healths, strict=True)
    ]


async def unload_engine(plate: EngineRecord, patience_s: float) -> None:
    """Have an engine finish what it has and end; return when it has ended.

    Its owner starts another when the model is asked for again. Raises `EngineError` when it has not
    ended after `patience_s` seconds.
    """
    with suppress(ProcessLookupError):
        os.kill(plate.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(patience_s):
            while _is_there(plate.pid):  # noqa: ASYNC110 (it is another process's)
                await asyncio.sleep(EXIT_POLL_S)
    except TimeoutError:
        raise EngineError(
            f"The engine of {plate.model} still works after {patience_s:g} s, and will end when "
            f"its windows have. `kill -9 {plate.pid}` does not wait for them."
        ) from None


async def _health(plate: EngineRecord) -> Health | None:
    with suppress(TimeoutError, NotListeningError, BrokenOffError, VoxgateError):
        async with asyncio.timeout(HEALTH_TIMEOUT_S):
            return await EngineClient(Path(plate.socket)).health()
    return None


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # the number is nobody's, or another user's
        return False
    return True


def _memory_of(pid: int) -> int | None:
    """Resident bytes of a process."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
