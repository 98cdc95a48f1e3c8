"""`BackgroundLoad`: load a model while requests for it are refused with a `Retry-After`."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from voxgate.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LOAD_BYTES_PER_S = 0.5e9
"""Of weights from a cold disk, with the first touch of the memory: 2 to 4 s a GB were measured."""

ENGINE_OVERHEAD_S = 4.0  # of an engine's start, without its weights


class BackgroundLoad:
    """The load of one model. `refuse` starts it, and starts it again after its end."""

    def __init__(self, model: str, load: Callable[[], Awaitable[None]], nbytes: int) -> None:
        """`load` returns when the model is ready. `nbytes`, its size, gives the first estimate."""
        self._model, self._load = model, load
        self._expected_s = ENGINE_OVERHEAD_S + nbytes / LOAD_BYTES_PER_S
        self._task: asyncio.Task[None] | None = None
        self._started_at = 0.0  # monotonic seconds

    def refuse(self) -> None:
        """Raise `BusyError` (`model_loading`) while the model loads.

        After a failed load raise its error instead, once; the next call starts another load.
        """
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            if not task.cancelled():
                task.result()
        if self._task is None:
            self._started_at = time.monotonic()
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(_retrieve_error)
        left_s = self._started_at + self._expected_s - time.monotonic()
        raise BusyError(
            f"{self._model} is being loaded. Send the request again in some seconds; the header "
            f"Retry-After says how many.",
            retry_after_s=max(1, math.ceil(left_s)),
            code="model_loading",
        )

    async def aclose(self) -> None:
        """Cancel the load."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        await self._load()
        self._expected_s = time.monotonic() - self._started_at


def _retrieve_error(task: asyncio.Task[None]) -> None:
    """Mark the error as retrieved: if no request follows, asyncio would log it."""
    if not task.cancelled():
        task.exception()
