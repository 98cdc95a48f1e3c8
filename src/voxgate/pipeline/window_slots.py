"""`WindowSlots`: how many windows of one recording are at the model at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from voxgate.models.capabilities import Capabilities


class WindowSlots:
    """At most as many windows as the model takes at once, and fewer until the first words.

    A context: a window is inside while it is recognised, with its second looks. Windows enter in
    the order in which they come. More windows than that would wait in the queue of all jobs, which
    is first in, first out for one tenant: a short recording would wait for all windows of the
    tenant's long one.

    A model that computes in calls would make the first words wait: windows behind take the cores
    from the first, and its second look waits for their calls to end. So the first window is alone
    as long as the decoder runs ahead of it, which keeps another core busy. When all is decoded,
    each call may have a window. After the first words only the whole matters.
    """

    def __init__(self, model: Capabilities, *, ordered: bool) -> None:
        """With `ordered`, a window enters only after the one before has left."""
        self._most = 1 if ordered else model.concurrency
        self._calls = min(model.calls or self._most, self._most)
        self._count = 1 if model.calls else self._most
        self._free = asyncio.Semaphore(self._count)

    def note_end_of_sound(self) -> None:
        """Note that the recording is decoded."""
        self._widen(self._calls)

    def note_words(self) -> None:
        """Note that the first words of the recording are known."""
        self._widen(self._most)

    def _widen(self, count: int) -> None:
        while self._count < count:
            self._count += 1
            self._free.release()

    async def __aenter__(self) -> None:
        await self._free.acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._free.release()
