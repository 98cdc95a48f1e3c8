"""Windows that wait for their turn, live ones before all others. Plain data, no lock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.errors import EngineBusyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.transcript.values import Event, Options


# MERGED engine.work
# `WindowRequest`: one window that an engine was given, and who is told what becomes of it.

Lane: TypeAlias = Literal["live", "batch"]
"""Who waits for a window: somebody who is speaking just now, or nobody in particular."""


@dataclass(eq=False, slots=True)
class WindowRequest:
    """One window's work. The callbacks come from a worker's thread, and never after a cancel."""

    pcm16: bytes  # mono, little-endian, 16 kHz
    options: Options
    tell: Callable[[Event], None]  # each event as it happens
    end: Callable[[Exception | None], None]  # once, after the last event
    lane: Lane = "batch"
    cancelled: bool = False
    last_step: float = 0.0  # monotonic seconds


QUEUE_LIMIT = 32  # waiting windows: 31 MB of sound at 30 s each
LANES: tuple[Lane, ...] = ("live", "batch")  # in this order


class RequestQueue:
    """First come, first served, in each lane."""

    def __init__(self, limit: int = QUEUE_LIMIT) -> None:
        self._limit = limit
        self._lanes: dict[Lane, deque[WindowRequest]] = {lane: deque() for lane in LANES}

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def add(self, work: WindowRequest) -> None:
        """Put work at its lane's end. Raises `EngineBusyError` when the limit is reached."""
        if len(self) >= self._limit:
            raise EngineBusyError(
                f"The engine has {len(self)} windows waiting and takes no more now. "
                f"Try again in a moment."
            )
        self._lanes[work.lane].append(work)

    def first(self, *lanes: Lane) -> WindowRequest | None:
        """Whose turn is next among these lanes; all of them when none is named."""
        return next((self._lanes[lane][0] for lane in lanes or LANES if self._lanes[lane]), None)

    def remove(self, work: WindowRequest) -> None:
        """Take work out; nothing when it does not wait."""
        if work in self._lanes[work.lane]:
            self._lanes[work.lane].remove(work)

    def close(self) -> None:
        """Forget all, and take nothing more."""
        self._limit = 0
        for lane in self._lanes.values():
            lane.clear()
