"""`Work`: one window that an engine was given, and who is told what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.transcript.values import Event, Options

Lane: TypeAlias = Literal["live", "batch"]
"""Who waits for a window: somebody who is speaking just now, or nobody in particular."""


@dataclass(eq=False, slots=True)
class Work:
    """One window's work. The callbacks come from a worker's thread, and never after a cancel."""

    pcm16: bytes  # mono, little-endian, 16 kHz
    options: Options
    tell: Callable[[Event], None]  # each event as it happens
    end: Callable[[Exception | None], None]  # once, after the last event
    lane: Lane = "batch"
    cancelled: bool = False
    last_step: float = 0.0  # monotonic seconds
