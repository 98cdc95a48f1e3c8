"""`Breaker`: leaves an endpoint alone that fails, and tries it again with one attempt at a time."""

from __future__ import annotations

FAILURES_IN_A_ROW = 5
BAD_SHARE, SHARE_OF = 0.5, 10
"""So many of the attempts of the last 30 s, where there are at least so many, open it as well."""

FIRST_PAUSE_S = 5.0
MAX_PAUSE_S = 300.0
PROBE_S = 60.0
"""How long a probe keeps others back where its end is never reported."""

NEXT_LOOK_S = 1.0
"""When to look again while there is a probe: its end decides, and nobody knows when that is."""


class Breaker:
    """Closed; open for a pause; then half open, until one attempt succeeds.

    Each failure of a half open one doubles the pause. Moments are those of one clock; a pause that
    begins later than now, because the clock went back, is over.
    """

    def __init__(self) -> None:
        self.failures = 0  # in a row
        self.pause_s = FIRST_PAUSE_S  # of this time, or the next
        self.opened_at: float | None = None  # None: it is closed
        self._probed_at: float | None = None

    def paused_until(self, now: float) -> float | None:
        """Return until when the endpoint must not be asked; None if it may be asked now."""
        if self.opened_at is None:
            return None
        if (end := _end(self.opened_at, self.pause_s, now)) is not None:
            return end
        return None if _end(self._probed_at, PROBE_S, now) is None else now + NEXT_LOOK_S

    def claim(self, now: float) -> bool:
        """Return whether an attempt may begin now. Of a half open one it is the only one."""
        if self.paused_until(now) is not None:
            return False
        if self.opened_at is not None:
            self._probed_at = now
        return True

    def succeed(self) -> None:
        """Close: the endpoint answers."""
        self.failures, self.pause_s = 0, FIRST_PAUSE_S
        self.opened_at = self._probed_at = None

    def fail(self, now: float, *, recent: int, recent_failures: int) -> None:
        """Count a failure, beside how many attempts of the last 30 s there are, and failed."""
        self.failures += 1
        if self.opened_at is None:
            bad = recent >= SHARE_OF and recent_failures >= BAD_SHARE * recent
            if bad or self.failures >= FAILURES_IN_A_ROW:
                self.opened_at = now
        elif _end(self.opened_at, self.pause_s, now) is None:  # not of attempts that began before
            self.pause_s = min(2 * self.pause_s, MAX_PAUSE_S)
            self.opened_at, self._probed_at = now, None

    def release(self) -> None:
        """Let another attempt be the probe: this one says nothing of the endpoint."""
        self._probed_at = None


def _end(begun: float | None, length_s: float, now: float) -> float | None:
    """Return the end of a period that lasts now; None of any other."""
    return begun + length_s if begun is not None and begun <= now < begun + length_s else None
