"""`GroupScheduler`: the windows that wait are recognised as a group, several groups at once."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING, TypeAlias

from voxgate.engine.backend import BatchFill
from voxgate.engine.queue import QUEUE_LIMIT, RequestQueue, WindowRequest
from voxgate.errors import UsageError
from voxgate.transcript.values import Done

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from voxgate.engine.queue import Request
    from voxgate.transcript.values import Event

    RecogniseGroup: TypeAlias = Callable[
        [Sequence[WindowRequest]], Generator[tuple[WindowRequest, Event] | None, None, None]
    ]

BUSY_SHARE = 0.1  # of a core: a long step that uses less of it is stalled
LINGER_S = 0.03  # after a group: its callers send their next windows within milliseconds

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Group:
    """The windows that one thread has taken and not ended."""

    running: list[WindowRequest]
    seen: tuple[float, float]  # monotonic seconds of the last sign of work, and CPU seconds then


class GroupScheduler:
    """A `Scheduler` for a model that is given at most `size` windows at once, by each worker.

    `recognise` yields each event with its window, and None after a step without an event. After
    each it can be closed, to stop the group. It may leave out windows that were cancelled. With
    more than one worker it is called by several threads at once. With `long_steps` a step may be
    one long call into a library, which cannot report progress: it is not stalled while this process
    uses the processor.
    """

    def __init__(
        self,
        recognise: RecogniseGroup,
        size: int,
        queue_limit: int = QUEUE_LIMIT,
        *,
        workers: int = 1,
        long_steps: bool = False,
        linger_s: float = LINGER_S,
    ) -> None:
        """`linger_s` is how long after a group its worker waits for the next to be full."""
        self._recognise, self._size, self._long_steps = recognise, size, long_steps
        self._linger_s = linger_s
        self.fill = BatchFill(size)
        self._queue = RequestQueue[WindowRequest](queue_limit)
        self._groups: list[_Group] = []
        self._stopped = False
        self._changed = Condition()
        self._threads = [
            Thread(target=self._run, name=f"recogniser-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def active(self) -> int:
        """Windows in progress, including cancelled ones that have not reached their next step."""
        with self._changed:
            return sum(len(group.running) for group in self._groups)

    @property
    def queued(self) -> int:
        """Windows that wait."""
        return len(self._queue)

    @property
    def step_age_s(self) -> float | None:
        """Seconds since the last sign of work in the group that waits longest; None when idle.

        A long step that is stalled is noticed when no other group uses the processor.
        """
        with self._changed:
            if not self._groups:
                first = self._queue.first()
                return None if first is None else max(0.0, time.monotonic() - first.last_step)
            return max(self._age_s(group) for group in self._groups)

    def _age_s(self, group: _Group) -> float:
        now, used = time.monotonic(), time.process_time()
        then, used_then = group.seen
        if self._long_steps and used - used_then > BUSY_SHARE * (now - then):
            group.seen = now, used
            return 0.0
        return now - then

    def add(self, request: Request) -> None:
        """Queue a window.

        Raise `EngineError` (`engine_busy`) when the queue is full, or after `stop`, and
        `UsageError` (`unsupported_option`) for a question.
        """
        if not isinstance(request, WindowRequest):
            raise UsageError(
                "This model answers no questions. Ask a model that does, as a Voxtral.",
                code="unsupported_option",
            )
        with self._changed:
            self._queue.add(request)
            request.last_step = time.monotonic()
            self._changed.notify_all()

    def cancel(self, request: Request) -> None:
        """Remove a waiting window, or leave out one in progress from its next step on."""
        with self._changed:
            request.cancelled = True
            if isinstance(request, WindowRequest):
                self._queue.remove(request)

    def stop(self, timeout_s: float) -> None:
        """Cancel all windows and end the threads; wait at most `timeout_s` for them."""
        with self._changed:
            self._stopped = True
            self._queue.close()
            for group in self._groups:
                for request in group.running:
                    request.cancelled = True
            self._changed.notify_all()
        end_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end_s - time.monotonic()))

    def _run(self) -> None:
        linger_end_s = 0.0  # monotonic
        while group := self._next_group(linger_end_s):
            error = self._recognise_windows(group, group.running)
            left = list(group.running)
            if error is not None and len(left) > 1:
                # One window may have spoilt the call for all: each has a call of its own now.
                for request in left:
                    self._end(group, request, self._recognise_windows(group, [request]))
            else:
                for request in left:
                    self._end(group, request, error)
            with self._changed:
                self._groups.remove(group)
            linger_end_s = time.monotonic() + self._linger_s

    def _next_group(self, linger_end_s: float) -> _Group | None:
        """Wait for windows and take those that are there; return None after `stop`."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._queue or self._stopped)
                self._linger(linger_end_s)
                if self._stopped:
                    return None
                if self._queue:  # else another worker took those that came, or they were cancelled
                    break
            taken: list[WindowRequest] = []
            while len(taken) < self._size and (request := self._queue.first()) is not None:
                self._queue.remove(request)
                taken.append(request)
            group = _Group(taken, (time.monotonic(), time.process_time()))
            self._groups.append(group)
            return group

    def _linger(self, end_s: float) -> None:
        """Wait for the callers of the worker's last group, if it has just ended."""
        linger_s = end_s - time.monotonic()
        if linger_s > 0:
            self._changed.wait_for(
                lambda: len(self._queue) >= self._size or self._stopped, linger_s
            )

    def _recognise_windows(
        self, group: _Group, windows: Sequence[WindowRequest]
    ) -> Exception | None:
        """Recognise those windows of a group that nobody has cancelled, in one call."""
        waiting = [request for request in windows if not request.cancelled]
        if not waiting:
            return None
        with self._changed:
            self.fill = self.fill.after(len(waiting))
        try:
            with closing(self._recognise(waiting)) as events:
                for event in events:
                    if not self._report(group, waiting, event):
                        break
        except Exception as error:
            log.exception("%d windows failed", len(waiting))
            return error
        return None

    def _report(
        self,
        group: _Group,
        called: Sequence[WindowRequest],
        event: tuple[WindowRequest, Event] | None,
    ) -> bool:
        """Report an event; return False when every window of the call was cancelled."""
        with self._changed:
            group.seen = time.monotonic(), time.process_time()
            if event is not None and not event[0].cancelled:
                event[0].on_event(event[1])
        if event is not None and isinstance(event[1], Done):
            self._end(group, event[0], None)  # its caller need not wait for the rest of the group
        return not all(request.cancelled for request in called)

    def _end(self, group: _Group, request: WindowRequest, error: Exception | None) -> None:
        """End a window. Do nothing for one that has ended."""
        with self._changed:
            if request in group.running:
                group.running.remove(request)
                if not request.cancelled:
                    request.on_end(error)
