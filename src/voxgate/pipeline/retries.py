"""`RetryBudget`: how often what failed may be tried again, so that nobody starts a storm."""

from __future__ import annotations

from dataclasses import dataclass

MOST = 10.0
EARNED = 0.1  # by a success


@dataclass(slots=True)
class RetryBudget:
    """How often something may be tried again: a few times at once, and a tenth of what succeeds.

    Without a limit that windows share, all that wait for a provider which is down would ask it
    again and again, and keep it down.
    """

    _left: float = MOST

    def note_success(self) -> None:
        """Note an attempt that succeeded."""
        self._left = min(MOST, self._left + EARNED)

    def spend(self) -> bool:
        """Take one retry, and return whether there was one."""
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
