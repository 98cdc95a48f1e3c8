"""`Spans`: where a recording's time went, measured while it goes through the path."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Spans:
    """Named intervals of one recording. Stages overlap: sound is recognised while more is decoded.

    So the time that several stages took together is the length of their union, not their sum.
    """

    def __init__(self) -> None:
        self._intervals: dict[str, list[tuple[float, float]]] = {}

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time that passes inside, however it ends."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._intervals.setdefault(name, []).append((began, time.monotonic()))

    @property
    def names(self) -> tuple[str, ...]:
        """What was measured, in the order in which it first ended."""
        return tuple(self._intervals)

    def seconds(self, *names: str) -> float:
        """For how long at least one of these was under way."""
        intervals = sorted(pair for name in names for pair in self._intervals.get(name, ()))
        total, reached = 0.0, float("-inf")
        for start, end in intervals:
            total += max(0.0, end - max(start, reached))
            reached = max(reached, end)
        return total
