"""`ThreadScheduler`: each window separately, in as many threads as the model allows."""

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

    `recognise` yields the events of one window of PCM16; the last is `Done`. Each event is a step:
    it shows progress, and after it the generator can be closed to stop the window. `recognise` is
    called from `concurrency` threads at once.
    """

    def __init__(
        self, recognise: Recognise, concurrency: int, queue_limit: int = QUEUE_LIMIT
    ) -> None:
        self._recognise = recognise
        self._queue = RequestQueue(queue_limit)
        self._running: set[WindowRequest] = set()
        self._stopped = False
        self._changed = Condition()
        self._threads = [
            Thread(target=self._run, name=f"recogniser-{number}", daemon=True)
            for number in range(concurrency)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def active(self) -> int:
        """Windows in progress, including cancelled ones that have not reached their next step."""
        return len(self._running)

    @property
    def queued(self) -> int:
        """Windows that wait."""
        return len(self._queue)

    @property
    def step_age_s(self) -> float | None:
        """Seconds since the last step of the window that is slowest; None when idle."""
        with self._changed:
            first = None if self._running else self._queue.first()
            checked = self._running if first is None else {first}
            oldest = min((request.last_step for request in checked), default=None)
        return None if oldest is None else max(0.0, time.monotonic() - oldest)

    def add(self, request: WindowRequest) -> None:
        """Queue a window.

        Raise `EngineError` (`engine_busy`) when the queue is full, or after `stop`.
        """
        with self._changed:
            self._queue.add(request)
            request.last_step = time.monotonic()
            self._changed.notify()

    def cancel(self, request: WindowRequest) -> None:
        """Remove a waiting window, or stop one in progress at its next step."""
        with self._changed:
            request.cancelled = True
            self._queue.remove(request)

    def stop(self, timeout_s: float) -> None:
        """Cancel all windows and end the threads; wait at most `timeout_s` for each thread."""
        with self._changed:
            self._stopped = True
            self._queue.close()
            for request in self._running:
                request.cancelled = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self) -> None:
        while (request := self._next_request()) is not None:
            self._finish(request, self._recognise_window(request))

    def _next_request(self) -> WindowRequest | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopped)
            request = self._queue.first()
            if request is not None:
                self._queue.remove(request)
                request.last_step = time.monotonic()
                self._running.add(request)
            return request

    def _recognise_window(self, request: WindowRequest) -> Exception | None:
        try:
            with closing(self._recognise(request.pcm16, request.options)) as events:
                for event in events:
                    if not self._report(request, event):
                        break
        except Exception as error:
            logger.exception("A window failed")
            return error
        return None

    def _report(self, request: WindowRequest, event: Event) -> bool:
        """Report an event; return False when the request was cancelled."""
        with self._changed:
            request.last_step = time.monotonic()
            if not request.cancelled:
                request.on_event(event)
            return not request.cancelled

    def _finish(self, request: WindowRequest, error: Exception | None) -> None:
        with self._changed:
            self._running.remove(request)
            if not request.cancelled:
                request.on_end(error)
