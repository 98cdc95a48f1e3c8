"""`RecentProblems`: the last warnings and errors of the log, in memory, for the owner of a server.

Nothing but what the log has is in it, and that has neither speech nor keys. Of an exception it has
the class alone: the log has its text and where it was raised.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MOST = 200
LONGEST = 2000  # characters of a sentence


@dataclass(frozen=True, slots=True)
class Problem:
    """One warning or error."""

    at: datetime  # UTC
    level: str  # WARNING, ERROR or CRITICAL
    sentence: str
    exception: str | None = None  # its class


class RecentProblems(logging.Handler):
    """Keeps the last `MOST` of them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._kept: deque[Problem] = deque(maxlen=MOST)

    @property
    def newest_first(self) -> list[Problem]:
        """Those that are kept."""
        return list(reversed(self._kept))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        try:
            sentence = record.getMessage()[:LONGEST]
        except Exception:  # noqa: BLE001 (as every handler: a log must not fail its caller)
            self.handleError(record)
            return
        kind = record.exc_info[0] if record.exc_info else None
        name = kind.__name__ if kind else None
        at = datetime.fromtimestamp(record.created, UTC)
        self._kept.append(Problem(at, record.levelname, sentence, name))

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep what is logged inside the context."""
        root = logging.getLogger()
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)
