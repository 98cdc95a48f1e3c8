"""`GroupScheduler`: the windows that wait are recognised as a group."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from threading import Condition, Thread
from typing import TYPE_CHECKING, TypeAlias

from voxgate.engine.queue import QUEUE_LIMIT, RequestQueue
from voxgate.transcript.values import Done

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from voxgate.engine.queue import WindowRequest
    from voxgate.transcript.values import Event

    RecogniseGroup: TypeAlias = Callable[
        [Sequence[WindowRequest]], Generator[tuple[WindowRequest, Event] | None, None, None]
    ]

BUSY_SHARE = 0.1  # of a core: a long step that uses less of it is stalled
LINGER_S = 0.03  # after a group: its callers send their next windows within milliseconds

logger = logging.getLogger(__name__)


class GroupScheduler:
    """A `Scheduler` for a model that is given at most `size` windows at once.

    `recognise` yields each event with its window, and None after a step without an event. After
    each it can be closed, to stop the group. It may leave out windows that were cancelled. With
    `long_steps` a step may be one long call into a library, which cannot report progress: it is not
    stalled while this process uses the processor.
    """

    def __init__(
        self,
        recognise: RecogniseGroup,
        size: int,
        queue_limit: int = QUEUE_LIMIT,
        *,
        long_steps: bool = False,
        linger_s: float = LINGER_S,
    ) -> None:
        """`linger_s` is how long after a group the next one waits to become as large as allowed."""
        self._recognise, self._size, self._long_steps = recognise, size, long_steps
        self._linger_s, self._group_end_s = linger_s, -linger_s  # monotonic
        self._queue = RequestQueue(queue_limit)
        self._running: list[WindowRequest] = []
        self._stopped = False
        self._changed = Condition()
        self._seen = 0.0, 0.0  # monotonic seconds of the last sign of work, and CPU seconds then
        self._thread = Thread(target=self._run, name="recogniser", daemon=True)
        self._thread.start()

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
        """Seconds since the last sign of work; None when idle."""
        with self._changed:
            if not self._running:
                first = self._queue.first()
                return None if first is None else max(0.0, time.monotonic() - first.last_step)
            now, used = time.monotonic(), time.process_time()
            then, used_then = self._seen
            if self._long_steps and used - used_then > BUSY_SHARE * (now - then):
                self._seen = now, used
                return 0.0
            return now - then

    def add(self, request: WindowRequest) -> None:
        """Queue a window.

        Raise `EngineError` (`engine_busy`) when the queue is full, or after `stop`.
        """
        with self._changed:
            self._queue.add(request)
            request.last_step = time.monotonic()
            self._changed.notify()

    def cancel(self, request: WindowRequest) -> None:
        """Remove a waiting window, or leave out one in progress from its next step on."""
        with self._changed:
            request.cancelled = True
            self._queue.remove(request)

    def stop(self, timeout_s: float) -> None:
        """Cancel all windows and end the thread; wait at most `timeout_s` for it."""
        with self._changed:
            self._stopped = True
            self._queue.close()
            for request in self._running:
                request.cancelled = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while group := self._next_group():
            error = self._recognise_group(group)
            left = list(self._running)
            if error is not None and len(left) > 1:
                # One window may have spoilt the call for all: each has a call of its own now.
                for request in left:
                    self._end(request, self._recognise_group([request]))
            else:
                for request in left:
                    self._end(request, error)
            self._group_end_s = time.monotonic()

    def _next_group(self) -> list[WindowRequest]:
        """Wait for windows and take those that are there; return none after `stop`."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._queue or self._stopped)
                self._linger()
                if self._queue or self._stopped:  # else those that came were cancelled
                    break
            while len(self._running) < self._size and (request := self._queue.first()) is not None:
                self._queue.remove(request)
                self._running.append(request)
            self._seen = time.monotonic(), time.process_time()
            return list(self._running)

    def _linger(self) -> None:
        """Wait for the callers of the last group, if it has just ended."""
        linger_s = self._group_end_s + self._linger_s - time.monotonic()
        if linger_s > 0:
            self._changed.wait_for(
                lambda: len(self._queue) >= self._size or self._stopped, linger_s
            )

    def _recognise_group(self, group: Sequence[WindowRequest]) -> Exception | None:
        """Recognise the windows that nobody has cancelled."""
        waiting = [request for request in group if not request.cancelled]
        if not waiting:
            return None
        try:
            with closing(self._recognise(waiting)) as events:
                for event in events:
                    if not self._report(waiting, event):
                        break
        except Exception as error:
            logger.exception("%d windows failed", len(waiting))
            return error
        return None

    def _report(
        self, group: Sequence[WindowRequest], event: tuple[WindowRequest, Event] | None
    ) -> bool:
        """Report an event; return False when every window of the group was cancelled."""
        with self._changed:
            self._seen = time.monotonic(), time.process_time()
            if event is not None and not event[0].cancelled:
                event[0].on_event(event[1])
        if event is not None and isinstance(event[1], Done):
            self._end(event[0], None)  # its caller need not wait for the rest of the group
        return not all(request.cancelled for request in group)

    def _end(self, request: WindowRequest, error: Exception | None) -> None:
        """End a window. Do nothing for one that has ended."""
        with self._changed:
            if request in self._running:
                self._running.remove(request)
                if not request.cancelled:
                    request.on_end(error)
