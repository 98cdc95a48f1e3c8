"""`Scheduler`: windows that wait, windows in work, and the threads that do it. Knows no HTTP."""

from __future__ import annotations

import logging
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING

from voxgate.errors import EngineBusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from voxgate.transcript.values import Event

QUEUE_LIMIT = 32  # waiting windows: 31 MB of sound at 30 s each

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Work:
    """One window's work. The callbacks come from a worker's thread, and never after a cancel."""

    steps: Callable[[], Generator[Event, None, None]]
    tell: Callable[[Event], None]  # each event as it happens
    end: Callable[[Exception | None], None]  # once, after the last event
    cancelled: bool = False
    last_step: float = 0.0  # monotonic seconds


class Scheduler:
    """First come, first served, `concurrency` at once.

    `add` raises `EngineBusyError` when `queue_limit` windows wait already. What `steps` raises ends
    its own work alone: it is logged here, and handed to `end`.
    """

    def __init__(self, concurrency: int, queue_limit: int = QUEUE_LIMIT) -> None:
        self._queue_limit = queue_limit
        self._queue: deque[Work] = deque()
        self._running: set[Work] = set()
        self._stopped = False
        self._changed = Condition()
        self._threads = [
            Thread(target=self._serve, name=f"recogniser-{number}", daemon=True)
            for number in range(concurrency)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def active(self) -> int:
        """Windows in work, those that were cancelled and have not reached a step included."""
        return len(self._running)

    @property
    def queued(self) -> int:
        """Windows that wait."""
        return len(self._queue)

    @property
    def step_age_s(self) -> float | None:
        """Seconds since the last step of the window that took none for longest; None when idle."""
        with self._changed:
            waiting = list(self._queue)[:1] if not self._running else []
            oldest = min((work.last_step for work in (*self._running, *waiting)), default=None)
        return None if oldest is None else max(0.0, time.monotonic() - oldest)

    def add(self, work: Work) -> None:
        """Put work at the queue's end."""
        with self._changed:
            if self._stopped or len(self._queue) >= self._queue_limit:
                raise EngineBusyError(
                    f"The engine has {len(self._queue)} windows waiting and takes no more now. "
                    f"Try again in a moment."
                )
            work.last_step = time.monotonic()
            self._queue.append(work)
            self._changed.notify()

    def cancel(self, work: Work) -> None:
        """Take waiting work out; let work in hand stop at its next step. Finished work: nothing."""
        with self._changed:
            work.cancelled = True
            if work in self._queue:
                self._queue.remove(work)

    def stop(self, timeout_s: float) -> None:
        """Cancel everything and end the threads, waiting `timeout_s` at most for each."""
        with self._changed:
            self._stopped = True
            self._queue.clear()
            for work in self._running:
                work.cancelled = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout_s)

    def _serve(self) -> None:
        while (work := self._next()) is not None:
            self._finish(work, self._run(work))

    def _next(self) -> Work | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopped)
            if self._stopped:
                return None
            work = self._queue.popleft()
            work.last_step = time.monotonic()
            self._running.add(work)
            return work

    def _run(self, work: Work) -> Exception | None:
        try:
            with closing(work.steps()) as steps:
                for event in steps:
                    if not self._step(work, event):
                        break
        except Exception as error:
            logger.exception("A window failed")
            return error
        return None

    def _step(self, work: Work, event: Event) -> bool:
        with self._changed:
            work.last_step = time.monotonic()
            if not work.cancelled:
                work.tell(event)
            return not work.cancelled

    def _finish(self, work: Work, error: Exception | None) -> None:
        with self._changed:
            self._running.remove(work)
            if not work.cancelled:
                work.end(error)
