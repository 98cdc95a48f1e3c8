"""A model is loaded while its callers are sent away, and told when to come again."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from voxgate.errors import ModelLoadingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LOAD_BYTES_PER_S = 0.5e9
"""Of weights from a cold disk, with the first touch of the memory: 2 to 4 s a GB were measured."""

ENGINE_OVERHEAD_S = 4.0  # of an engine, but for its weights


class BackgroundLoad:
    """Of one model; begun by the first `refuse`, and again when an earlier one has ended."""

    def __init__(self, model: str, load: Callable[[], Awaitable[None]], nbytes: int) -> None:
        """`load` ends when the model is ready; `nbytes` is what it reads, for the first guess."""
        self._model, self._load = model, load
        self._expected_s = ENGINE_OVERHEAD_S + nbytes / LOAD_BYTES_PER_S
        self._task: asyncio.Task[None] | None = None
        self._began = 0.0

    def refuse(self) -> None:
        """Raise `ModelLoadingError` while it loads; once, what kept it from loading."""
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            if not task.cancelled():
                task.result()
        if self._task is None:
            self._began = time.monotonic()
            self._task = asyncio.create_task(self._prepare())
            self._task.add_done_callback(_seen)
        left_s = self._began + self._expected_s - time.monotonic()
        raise ModelLoadingError(
            f"{self._model} is being loaded. Send the request again in some seconds; the header "
            f"Retry-After says how many.",
            retry_after_s=max(1, math.ceil(left_s)),
        )

    async def aclose(self) -> None:
        """Give it up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _prepare(self) -> None:
        await self._load()
        self._expected_s = time.monotonic() - self._began


def _seen(task: asyncio.Task[None]) -> None:
    """Nobody may ask again: then its failure is nobody's, and no traceback."""
    if not task.cancelled():
        task.exception()
