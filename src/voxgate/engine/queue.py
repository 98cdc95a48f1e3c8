"""The windows that wait in an engine, in the order of their arrival. Plain data, without a lock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.transcript.values import Event, Options

QUEUE_LIMIT = 32  # waiting windows: 31 MB of sound at 30 s each


@dataclass(eq=False, slots=True)
class WindowRequest:
    """One window to recognise or, with a text, to align; with its callbacks.

    The callbacks run in a scheduler's thread, and never after the request was cancelled.
    """

    pcm16: bytes  # mono, little-endian, 16 kHz
    options: Options
    on_event: Callable[[Event], None]  # called for each event as it happens
    on_end: Callable[[Exception | None], None]  # called once, after the last event
    text: str | None = None  # to align with the window; None: recognise it
    cancelled: bool = False
    last_step: float = 0.0  # monotonic seconds


class RequestQueue:
    """A bounded queue, first come, first served."""

    def __init__(self, limit: int = QUEUE_LIMIT) -> None:
        self._limit = limit
        self._requests: deque[WindowRequest] = deque()

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, request: WindowRequest) -> None:
        """Append a request. Raise `EngineError` (`engine_busy`) when the limit is reached."""
        if len(self) >= self._limit:
            raise EngineError(
                f"The engine has {len(self)} windows waiting and takes no more now. "
                f"Try again in a moment.",
                code="engine_busy",
            )
        self._requests.append(request)

    def first(self) -> WindowRequest | None:
        """Return the next request without removing it, or None when the queue is empty."""
        return self._requests[0] if self._requests else None

    def remove(self, request: WindowRequest) -> None:
        """Remove a request. Do nothing when it is not in the queue."""
        if request in self._requests:
            self._requests.remove(request)

    def close(self) -> None:
        """Remove all requests and refuse new ones."""
        self._limit = 0
        self._requests.clear()
