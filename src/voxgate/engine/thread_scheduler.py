"""Windows one after another, each by itself, in as many threads as the model takes."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from threading import Condition, Thread
from typing import TYPE_CHECKING, TypeAlias

from voxgate.engine.queue import QUEUE_LIMIT, RequestQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from voxgate.engine.queue import WindowRequest
    from voxgate.transcript.values import Event, Options

    Recognise: TypeAlias = Callable[[bytes, Options], Generator[Event, None, None]]

logger = logging.getLogger(__name__)


class ThreadScheduler:
    """A `Scheduler` of `concurrency` windows at once.

    `recognise` gives the events of one window of PCM16, `Done` the last. Every item is a step: it
    shows that the work goes on, and it is the place where the work can be stopped, by closing the
    generator. It is called from `concurrency` threads at once.
    """

    def __init__(
        self, recognise: Recognise, concurrency: int, queue_limit: int = QUEUE_LIMIT
    ) -> None:
        self._recognise = recognise
        self._waiting = RequestQueue(queue_limit)
        self._running: set[WindowRequest] = set()
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
        return len(self._waiting)

    @property
    def step_age_s(self) -> float | None:
        """Seconds since the last step of the window that took none for longest; None when idle."""
        with self._changed:
            first = None if self._running else self._waiting.first()
            looked_at = self._running if first is None else {first}
            oldest = min((work.last_step for work in looked_at), default=None)
        return None if oldest is None else max(0.0, time.monotonic() - oldest)

    def add(self, work: WindowRequest) -> None:
        """Put work at its lane's end. Raises `EngineBusyError`."""
        with self._changed:
            self._waiting.add(work)
            work.last_step = time.monotonic()
            self._changed.notify()

    def cancel(self, work: WindowRequest) -> None:
        """Take waiting work out; let work in hand stop at its next step. Finished work: nothing."""
        with self._changed:
            work.cancelled = True
            self._waiting.remove(work)

    def stop(self, timeout_s: float) -> None:
        """Cancel everything and end the threads, waiting `timeout_s` at most for each."""
        with self._changed:
            self._stopped = True
            self._waiting.close()
            for work in self._running:
                work.cancelled = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout_s)

    def _serve(self) -> None:
        while (work := self._next()) is not None:
            self._finish(work, self._run(work))

    def _next(self) -> WindowRequest | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            work = self._waiting.first()
            if work is not None:
                self._waiting.remove(work)
                work.last_step = time.monotonic()
                self._running.add(work)
            return work

    def _run(self, work: WindowRequest) -> Exception | None:
        try:
            with closing(self._recognise(work.pcm16, work.options)) as steps:
                for event in steps:
                    if not self._step(work, event):
                        break
        except Exception as error:
            logger.exception("A window failed")
            return error
        return None

    def _step(self, work: WindowRequest, event: Event) -> bool:
        with self._changed:
            work.last_step = time.monotonic()
            if not work.cancelled:
                work.tell(event)
            return not work.cancelled

    def _finish(self, work: WindowRequest, error: Exception | None) -> None:
        with self._changed:
            self._running.remove(work)
            if not work.cancelled:
                work.end(error)
