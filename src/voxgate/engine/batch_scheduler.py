"""`BatchScheduler`: one thread that owns the model and takes the steps of all windows together."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from threading import Condition, Thread
from typing import TYPE_CHECKING

from voxgate.engine.backend import BatchFill
from voxgate.engine.planner import DecodeStep, PrefillStep, StepPlanner
from voxgate.engine.queue import QUEUE_LIMIT, RequestQueue
from voxgate.engine.sequence import Sequence
from voxgate.transcript.values import Progress
from voxgate.voxtral.sampling import choose_greedily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from voxgate.engine.queue import WindowRequest
    from voxgate.transcript.values import Event
    from voxgate.voxtral.kv_cache import KVCache
    from voxgate.voxtral.model import Voxtral
    from voxgate.voxtral.sampling import GreedyChoice

log = logging.getLogger(__name__)


class BatchScheduler:
    """A `Scheduler` of as many windows at once as `cache` has slots.

    The loop is: plan, compute, report. Planning and reporting hold a lock, which is never held
    while the model computes. Only the thread uses the model and the cache.
    """

    def __init__(self, model: Voxtral, cache: KVCache, queue_limit: int = QUEUE_LIMIT) -> None:
        """Start the thread. It owns `cache`, whose slots must each hold the longest window."""
        self._model, self._cache = model, cache
        self._queue = RequestQueue(queue_limit)
        self.fill = BatchFill(cache.free_slots)
        self._planner: StepPlanner[Sequence] = StepPlanner(cache.free_slots)
        self._last_step = 0.0  # monotonic seconds
        self._stopped = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="batch", daemon=True)
        self._thread.start()

    @property
    def active(self) -> int:
        """Windows in progress, including cancelled ones that have not reached their next step."""
        return len(self._planner.active)

    @property
    def queued(self) -> int:
        """Windows that wait."""
        return len(self._queue)

    @property
    def step_age_s(self) -> float | None:
        """Seconds since the model's last step for any window; None when idle.

        One window may pause while others take steps. The thread that they share may not.
        """
        with self._changed:
            busy = self._planner.active or self._queue
            return max(0.0, time.monotonic() - self._last_step) if busy else None

    def add(self, request: WindowRequest) -> None:
        """Queue a window.

        Raise `EngineError` (`engine_busy`) when the queue is full, or after `stop`.
        """
        with self._changed:
            if not self._planner.active and not self._queue:
                self._last_step = time.monotonic()
            self._queue.add(request)
            self._changed.notify()

    def cancel(self, request: WindowRequest) -> None:
        """Remove a waiting window, or stop one in progress at its next step."""
        with self._changed:
            request.cancelled = True
            self._queue.remove(request)

    def stop(self, timeout_s: float) -> None:
        """Cancel all windows and end the thread; wait at most `timeout_s`."""
        with self._changed:
            self._stopped = True
            self._queue.close()
            for sequence in self._planner.active:
                sequence.request.cancelled = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (step := self._next_step()) is not None:
            if isinstance(step, PrefillStep):
                self._prefill(step.sequence)
            else:
                self._decode(step.sequences)

    def _next_step(self) -> PrefillStep[Sequence] | DecodeStep[Sequence] | None:
        """Wait for a step to compute; return None after `stop`."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._planner.active or self._queue or self._stopped)
                self._release_cancelled()
                self._admit_waiting()
                if self._stopped:
                    return None
                if (step := self._planner.next_step()) is not None:
                    return step

    def _release_cancelled(self) -> None:
        for sequence in self._planner.active:
            if sequence.request.cancelled:
                self._release(sequence)

    def _admit_waiting(self) -> None:
        while self._planner.can_admit and (request := self._queue.first()) is not None:
            self._queue.remove(request)
            try:
                self._planner.admit(Sequence(request, self._model, self._cache))
            except Exception as error:
                log.exception("A window could not begin")
                request.on_end(error)

    def _prefill(self, sequence: Sequence) -> None:
        with self._contain_errors(sequence):
            logits = sequence.prefill_step()
            self._note_step()
            if logits is None:
                self._report(sequence, Progress(0.0))
                return
            with self._changed:
                self._planner.start_decoding(sequence)
            self._accept_logits(sequence, logits)

    def _decode(self, sequences: tuple[Sequence, ...]) -> None:
        self.fill = self.fill.after(len(sequences))
        try:
            rows = self._compute_logits(sequences)
        except Exception as error:
            log.exception("A step of %d windows failed", len(sequences))
            for sequence in sequences:
                self._end(sequence, error)
            return
        for sequence, logits, greedy in rows:
            with self._contain_errors(sequence):
                self._accept_logits(sequence, logits, greedy)

    def _compute_logits(
        self, sequences: tuple[Sequence, ...]
    ) -> list[tuple[Sequence, Tensor, GreedyChoice]]:
        """Return the logits of each sequence's next token; nothing when all were cancelled."""
        slots = [sequence.slot for sequence in sequences]
        tokens = [sequence.state.last_token for sequence in sequences]
        steps = self._model.step(self._cache, slots, tokens)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                logits: Tensor = end.value
                return list(zip(sequences, logits, choose_greedily(logits), strict=True))
            self._note_step()
            if all(sequence.request.cancelled for sequence in sequences):
                steps.close()
                return []

    def _accept_logits(
        self, sequence: Sequence, logits: Tensor, greedy: GreedyChoice | None = None
    ) -> None:
        if sequence.accept_logits(logits, greedy):
            self._report(sequence, sequence.token_event())
            return
        for event in sequence.final_events():
            self._report(sequence, event)
        self._end(sequence)

    @contextmanager
    def _contain_errors(self, sequence: Sequence) -> Iterator[None]:
        """End this window, and no other, when an error is raised inside."""
        try:
            yield
        except Exception as error:
            log.exception("A window failed")
            self._end(sequence, error)

    def _report(self, sequence: Sequence, event: Event) -> None:
        with self._changed:
            if not sequence.request.cancelled:
                sequence.request.on_event(event)

    def _end(self, sequence: Sequence, error: Exception | None = None) -> None:
        with self._changed:
            self._release(sequence)
            if not sequence.request.cancelled:
                sequence.request.on_end(error)

    def _release(self, sequence: Sequence) -> None:
        self._planner.remove(sequence)
        sequence.close()

    def _note_step(self) -> None:
        with self._changed:
            self._last_step = time.monotonic()
