"""`Watchdog`: finds out that an engine with work has come to a stop."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from voxgate.errors import EngineError
from voxgate.providers.engine_client import BrokenOffError, NotListeningError

if TYPE_CHECKING:
    from voxgate.providers.engine_client import EngineClient


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
