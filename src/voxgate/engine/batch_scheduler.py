"""One thread that owns the model, and takes the steps of all windows in work together."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from threading import Condition, Thread
from typing import TYPE_CHECKING

from voxgate.engine.planner import DecodeStep, PrefillStep, StepPlanner
from voxgate.engine.queue import LANES, QUEUE_LIMIT, RequestQueue
from voxgate.engine.sequence import Sequence
from voxgate.transcript.values import Progress
from voxgate.voxtral.sampling import find_likeliest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from voxgate.engine.queue import WindowRequest
    from voxgate.transcript.values import Event
    from voxgate.voxtral.kv_cache import KVCache
    from voxgate.voxtral.model import Voxtral
    from voxgate.voxtral.sampling import Likeliest

logger = logging.getLogger(__name__)


class BatchScheduler:
    """A `Scheduler` of as many windows at once as `cache` has slots.

    The loop is: plan, compute, tell. What is planned and who is told is decided under a lock, which
    is never held while the model computes; the model and the cache are the thread's alone.
    """

    def __init__(self, model: Voxtral, cache: KVCache, queue_limit: int = QUEUE_LIMIT) -> None:
        """`cache` is the batch's own from now on; a slot of it holds the longest window."""
        self._model, self._cache = model, cache
        self._waiting = RequestQueue(queue_limit)
        self._rounds: StepPlanner[Sequence] = StepPlanner(cache.free_slots)
        self._last_step = 0.0  # monotonic seconds
        self._stopped = False
        self._changed = Condition()
        self._thread = Thread(target=self._serve, name="batch", daemon=True)
        self._thread.start()

    @property
    def active(self) -> int:
        """Windows in work, those that were cancelled and have not reached a step included."""
        return len(self._rounds.all)

    @property
    def queued(self) -> int:
        """Windows that wait."""
        return len(self._waiting)

    @property
    def step_age_s(self) -> float | None:
        """Seconds since the model's last step, for whichever window it was; None when idle.

        A window may pause for others' sake. The thread that they share may not.
        """
        with self._changed:
            busy = self._rounds.all or self._waiting
            return max(0.0, time.monotonic() - self._last_step) if busy else None

    def add(self, work: WindowRequest) -> None:
        """Put work at its lane's end. Raises `EngineBusyError`."""
        with self._changed:
            if not self._rounds.all and not self._waiting:
                self._last_step = time.monotonic()
            self._waiting.add(work)
            self._changed.notify()

    def cancel(self, work: WindowRequest) -> None:
        """Take waiting work out; let work in hand stop at its next step. Finished work: nothing."""
        with self._changed:
            work.cancelled = True
            self._waiting.remove(work)

    def stop(self, timeout_s: float) -> None:
        """Cancel everything and end the thread, waiting `timeout_s` at most."""
        with self._changed:
            self._stopped = True
            self._waiting.close()
            for sequence in self._rounds.all:
                sequence.work.cancelled = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _serve(self) -> None:
        while (planned := self._plan()) is not None:
            if isinstance(planned, PrefillStep):
                self._open(planned.sequence)
            else:
                self._token(planned.sequences)

    def _plan(self) -> PrefillStep[Sequence] | DecodeStep[Sequence] | None:
        """What to compute next, once there is something; None at the end."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._rounds.all or self._waiting or self._stopped)
                self._release()
                self._admit()
                if self._stopped:
                    return None
                if (planned := self._rounds.next()) is not None:
                    return planned

    def _release(self) -> None:
        """Let go those whose callers have left."""
        for sequence in self._rounds.all:
            if sequence.work.cancelled:
                self._leave(sequence)

    def _admit(self) -> None:
        """Begin with those that wait and may."""
        for lane in LANES:
            while self._rounds.admits(lane) and (work := self._waiting.first(lane)) is not None:
                self._waiting.remove(work)
                try:
                    self._rounds.begin(Sequence(work, self._model, self._cache))
                except Exception as error:
                    logger.exception("A window could not begin")
                    work.end(error)

    def _open(self, sequence: Sequence) -> None:
        with self._alone(sequence):
            logits = sequence.open()
            self._stepped()
            if logits is None:
                self._tell(sequence, Progress(0.0))
                return
            with self._changed:
                self._rounds.decode(sequence)
            self._take(sequence, logits)

    def _token(self, sequences: tuple[Sequence, ...]) -> None:
        try:
            rows = self._computed(sequences)
        except Exception as error:
            logger.exception("A step of %d windows failed", len(sequences))
            for sequence in sequences:
                self._end(sequence, error)
            return
        for sequence, logits, likeliest in rows:
            with self._alone(sequence):
                self._take(sequence, logits, likeliest)

    def _computed(
        self, sequences: tuple[Sequence, ...]
    ) -> list[tuple[Sequence, Tensor, Likeliest]]:
        """The logits of everyone's next token; none when nobody wants them any more."""
        slots = [sequence.slot for sequence in sequences]
        steps = self._model.step_steps(self._cache, slots, [one.hearing.last for one in sequences])
        while True:
            try:
                next(steps)
            except StopIteration as end:
                logits: Tensor = end.value
                return list(zip(sequences, logits, find_likeliest(logits), strict=True))
            self._stepped()
            if all(sequence.work.cancelled for sequence in sequences):
                steps.close()
                return []

    def _take(self, sequence: Sequence, logits: Tensor, likeliest: Likeliest | None = None) -> None:
        if sequence.take(logits, likeliest):
            self._tell(sequence, sequence.news())
            return
        for event in sequence.result():
            self._tell(sequence, event)
        self._end(sequence)

    @contextmanager
    def _alone(self, sequence: Sequence) -> Iterator[None]:
        """What goes wrong with one window ends it, and no other."""
        try:
            yield
        except Exception as error:
            logger.exception("A window failed")
            self._end(sequence, error)

    def _tell(self, sequence: Sequence, event: Event) -> None:
        with self._changed:
            if not sequence.work.cancelled:
                sequence.work.tell(event)

    def _end(self, sequence: Sequence, error: Exception | None = None) -> None:
        with self._changed:
            self._leave(sequence)
            if not sequence.work.cancelled:
                sequence.work.end(error)

    def _leave(self, sequence: Sequence) -> None:
        self._rounds.end(sequence)
        sequence.close()

    def _stepped(self) -> None:
        with self._changed:
            self._last_step = time.monotonic()
