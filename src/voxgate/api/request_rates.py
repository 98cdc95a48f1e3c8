"""`RequestRates`: how many recordings a key may send in a minute. Each server counts by itself."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING

from voxgate.errors import BusyError
from voxgate.ledger.key import how_to_change

if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD_S = 60.0


class RateError(BusyError):
    """A key sends more requests a minute than it may."""

    def __init__(self, key: str, limit: int, wait_s: float, *, in_file: bool) -> None:
        """`key` is the key's hash; `wait_s` the seconds until its next request is taken.

        `in_file` says that a file lists the key.
        """
        retry_after_s = max(1, math.ceil(wait_s))
        remedy = how_to_change(key, "--rate N", "raises the limit", in_file=in_file)
        super().__init__(
            f"This key may send {limit:,} recordings a minute, and has. Send the request again in "
            f"{retry_after_s} s. {remedy}",
            retry_after_s,
        )
        self.limit = limit
        self.reset_ms = math.ceil((time.time() + wait_s) * 1000)
        """When the next request is taken, in milliseconds of Unix time, as OpenRouter has it."""


class RequestRates:
    """Counts the requests of keys within the last `PERIOD_S` seconds. Refused ones do not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: dict[str, deque[float]] = {}  # of requests, by key; the latest key last

    def take(self, key: str, limit: int, *, in_file: bool = False) -> None:
        """Count a request of a key. Raises `RateError` where it has sent `limit` already.

        `key` is its hash; `in_file` says that a file lists it.
        """
        now = self._clock()
        times = self._times.pop(key, deque[float]())
        self._times[key] = times
        while times and times[0] <= now - PERIOD_S:
            times.popleft()
        if len(times) >= limit:
            raise RateError(key, limit, times[-limit] + PERIOD_S - now, in_file=in_file)
        times.append(now)
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Drop the keys whose requests are all older than the period."""
        while self._times:
            key, times = next(iter(self._times.items()))
            if times and times[-1] > now - PERIOD_S:
                return
            del self._times[key]
