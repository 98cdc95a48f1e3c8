"""`Trace`: what became of a recording on its way, for whoever accounts for it."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.pipeline.window import Attempt


# MERGED pipeline.spans
# `StageTimes`: where a recording's time went, measured while it goes through the path.


class StageTimes:
    """Named intervals of one recording. Stages overlap: sound is recognised while more is decoded.

    So the time that several stages took together is the length of their union, not their sum. Only
    totals are kept, by which stages were under way together: twelve hours have 100 000 intervals.
    """

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._seconds: defaultdict[frozenset[str], float] = defaultdict(float)
        self._names: dict[str, None] = {}
        self._counted = time.monotonic()  # up to when all time is in `_seconds`

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time that passes inside, however it ends."""
        self._count()
        self._under_way[name] += 1
        try:
            yield
        finally:
            self._count()
            self._under_way[name] -= 1
            self._names[name] = None

    @property
    def names(self) -> tuple[str, ...]:
        """What was measured, in the order in which it first ended."""
        return tuple(self._names)

    def seconds(self, *names: str) -> float:
        """For how long at least one of these has been under way, until now."""
        self._count()
        return sum(
            seconds for together, seconds in self._seconds.items() if together.intersection(names)
        )

    def _count(self) -> None:
        now = time.monotonic()
        together = frozenset(name for name, count in self._under_way.items() if count)
        self._seconds[together] += now - self._counted
        self._counted = now


@dataclass(slots=True)
class Trace:
    """Filled while the recording is under way, and kept when it fails.

    `spans` has `decode` (decoding and speech detection) and `provider`; `attempts` are those at all
    windows, in the order in which they ended.
    """

    spans: StageTimes = field(default_factory=StageTimes)
    attempts: list[Attempt] = field(default_factory=list)
