"""`Pace`: how fast work lands, measured, for telling callers when to come again."""

from __future__ import annotations

import math
import time

UNKNOWN_S = 5  # to wait, while nothing has landed yet
LONGEST_S = 300
SHARE = 0.2  # of a new interval in the mean: some ten landings are remembered


class Pace:
    """The mean interval between landings, over the time in which there was work.

    A burst that lands together counts as so many short intervals. Time without work does not count.
    """

    def __init__(self) -> None:
        self._since: float | None = None  # the landing before, or the beginning of the work
        self._interval_s: float | None = None

    def began(self) -> None:
        """Work was taken."""
        if self._since is None:
            self._since = time.monotonic()

    def landed(self, *, busy: bool) -> None:
        """Some of it has ended; `busy` says whether there is more."""
        now = time.monotonic()
        if self._since is not None:
            interval_s, known = now - self._since, self._interval_s
            self._interval_s = interval_s if known is None else known + SHARE * (interval_s - known)
        self._since = now if busy else None

    def seconds(self, landings: int) -> int:
        """How long so many landings take, in whole seconds, for `Retry-After`."""
        if self._interval_s is None:
            return UNKNOWN_S
        return min(LONGEST_S, max(1, math.ceil(landings * self._interval_s)))
