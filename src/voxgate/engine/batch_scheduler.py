"""`BatchScheduler`: one thread that owns the model and takes the steps of all requests together."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from threading import Condition, Thread
from typing import TYPE_CHECKING, TypeAlias

from voxgate.engine.answer_sequence import AnswerSequence
from voxgate.engine.backend import BatchFill
from voxgate.engine.decode_batch import BatchPlanner
from voxgate.engine.planner import PrefillStep, StepPlanner
from voxgate.engine.question_reader import QuestionReader
from voxgate.engine.queue import (
    QUESTION_LIMIT,
    QUEUE_LIMIT,
    QuestionRequest,
    RequestQueue,
    WindowRequest,
)
from voxgate.engine.sequence import WindowSequence
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from voxgate.engine.decode_batch import DecodeBatch, DecodedRow
    from voxgate.engine.planner import DecodeStep
    from voxgate.engine.queue import Request
    from voxgate.voxtral.draft_trial import DraftTrial
    from voxgate.voxtral.kv_cache import KVCache
    from voxgate.voxtral.model import Voxtral
    from voxgate.voxtral.sampling import GreedyChoice

Sequence: TypeAlias = WindowSequence | AnswerSequence

log = logging.getLogger(__name__)


class BatchScheduler:
    """A `Scheduler` of as many windows and questions at once as their caches have slots.

    The loop is: plan, compute, report. Planning and reporting hold a lock, which is never held
    while the model computes. Only the thread computes with the model, and uses the caches.

    Answers are few and long, windows many and short: each kind has a cache of its own, and its
    sequences share the model's steps. A step of the planner decodes a token of all of them, and
    more of those whose draft is right.
    """

    def __init__(
        self,
        model: Voxtral,
        cache: KVCache,
        answer_cache: KVCache,
        queue_limit: int = QUEUE_LIMIT,
        question_limit: int = QUESTION_LIMIT,
        *,
        draft_trial: DraftTrial | None = None,
    ) -> None:
        """Start the thread. It owns the caches.

        Each slot of `cache` must hold the longest window. A slot of `answer_cache` holds what of a
        question and its answer fits into it. `draft_trial` is whether drafts are checked; None: it
        is tried when the first one comes, so that an engine without drafts is ready sooner.
        """
        self._model, self._cache, self._answer_cache = model, cache, answer_cache
        self._windows = RequestQueue[WindowRequest](queue_limit)
        self._questions = RequestQueue[QuestionRequest](question_limit, "questions")
        self.fill = BatchFill(cache.free_slots)
        self._planner: StepPlanner[Sequence] = StepPlanner(
            {"window": cache.free_slots, "question": answer_cache.free_slots}
        )
        self._reader = QuestionReader(model, answer_cache.capacity, self._note_change)
        self._batches = BatchPlanner(model, draft_trial)
        self._last_step = 0.0  # monotonic seconds
        self._stopped = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="batch", daemon=True)
        self._thread.start()

    @property
    def active(self) -> int:
        """Requests in progress, including cancelled ones that have not reached their next step."""
        return len(self._planner.active)

    @property
    def queued(self) -> int:
        """Windows and questions that wait."""
        return len(self._windows) + len(self._questions)

    @property
    def step_age_s(self) -> float | None:
        """Seconds since the model's last step for any request; None when idle.

        One request may pause while others take steps. The thread that they share may not.
        """
        with self._changed:
            return max(0.0, time.monotonic() - self._last_step) if self._has_work else None

    def add(self, request: Request) -> None:
        """Queue a window or a question.

        Raise `EngineError` (`engine_busy`) when the queue of its kind is full, or after `stop`.
        """
        with self._changed:
            if not self._has_work:
                self._last_step = time.monotonic()
            if isinstance(request, WindowRequest):
                self._windows.add(request)
            else:
                self._questions.add(request)
            self._changed.notify()

    def cancel(self, request: Request) -> None:
        """Remove a waiting request, or stop one in progress at its next step."""
        with self._changed:
            request.cancelled = True
            if isinstance(request, WindowRequest):
                self._windows.remove(request)
            else:
                self._questions.remove(request)
                self._reader.forget(request)

    def stop(self, timeout_s: float) -> None:
        """Cancel all requests and end the thread; wait at most `timeout_s`."""
        with self._changed:
            self._stopped = True
            self._windows.close()
            self._questions.close()
            for sequence in self._planner.active:
                sequence.request.cancelled = True
            self._changed.notify()
        self._reader.close()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (step := self._next_step()) is not None:
            if isinstance(step, PrefillStep):
                self._prefill(step.sequence)
            else:
                self._decode(step.sequences)

    @property
    def _has_work(self) -> bool:
        return bool(self._planner.active or self._windows or self._questions)

    @property
    def _can_go_on(self) -> bool:
        """Whether there is work for the model's thread: none while a question alone is read."""
        if self._planner.active or self._windows:
            return True
        question = self._questions.first()
        return question is not None and not self._reader.is_reading(question)

    def _next_step(self) -> PrefillStep[Sequence] | DecodeStep[Sequence] | None:
        """Wait for a step to compute; return None after `stop`."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._can_go_on or self._stopped)
            self._release_cancelled()
            with self._changed:
                self._admit_waiting()
                if self._stopped and not self._planner.active:
                    return None
                if not self._stopped and (step := self._planner.next_step()) is not None:
                    return step

    def _release_cancelled(self) -> None:
        with self._changed:
            cancelled = [each for each in self._planner.active if each.request.cancelled]
        for sequence in cancelled:
            self._release(sequence)

    def _admit_waiting(self) -> None:
        """Begin what has a slot. A kind that has none does not hold up the other."""
        while self._planner.can_admit("window") and (window := self._windows.first()):
            self._windows.remove(window)
            with self._report_failure(window):
                self._planner.admit(WindowSequence(window, self._model, self._cache), "window")
        while self._planner.can_admit("question") and (question := self._questions.first()):
            if (reading := self._reader.read(question)) is None:
                return
            self._questions.remove(question)
            self._reader.forget(question)
            with self._report_failure(question):
                answer = AnswerSequence(question, self._model, self._answer_cache, reading.result())
                self._planner.admit(answer, "question")

    def _note_change(self) -> None:
        with self._changed:
            self._changed.notify()

    def _prefill(self, sequence: Sequence) -> None:
        with self._contain_errors(sequence):
            logits = sequence.prefill_step()
            self._note_step()
            if logits is None:
                self._report(sequence.report_progress)
                return
            with self._changed:
                self._planner.start_decoding(sequence)
            self._accept_logits(sequence, logits)

    def _decode(self, sequences: tuple[Sequence, ...]) -> None:
        """Decode a token of each sequence: those of one cache together."""
        windows = tuple(each for each in sequences if isinstance(each, WindowSequence))
        answers = tuple(each for each in sequences if isinstance(each, AnswerSequence))
        if windows:
            self.fill = self.fill.after(len(windows))
            self._decode_together(self._cache, windows)
        if answers:
            self._decode_together(self._answer_cache, answers)

    def _decode_together(self, cache: KVCache, sequences: tuple[Sequence, ...]) -> None:
        try:
            for _ in self._batches.prepare(sequences):
                self._note_step()
            batch = self._batches.plan(sequences)
            logits = self._compute_logits(batch, cache)
            if logits is None:
                return
            rows = list(batch.rows(logits, self._masks(sequences)))
        except Exception as error:
            log.exception("A step of %d requests failed", len(sequences))
            for sequence in sequences:
                self._end(sequence, error)
            return
        accepted = 0
        for sequence, decoded in rows:
            with self._contain_errors(sequence):
                accepted += self._accept_rows(sequence, cache, decoded)
        if batch.proposed:
            self.fill = self.fill.with_draft(batch.proposed, accepted)

    def _compute_logits(self, batch: DecodeBatch, cache: KVCache) -> Tensor | None:
        """Return the logits of a pass; None when all its sequences were cancelled."""
        steps = batch.compute(self._model, cache)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                logits: Tensor = end.value
                return logits
            self._note_step()
            if all(sequence.request.cancelled for sequence in batch.sequences):
                steps.close()
                return None

    def _masks(self, sequences: tuple[Sequence, ...]) -> dict[Sequence, Tensor | None]:
        """Return each sequence's mask; end one whose mask cannot be had."""
        masks: dict[Sequence, Tensor | None] = {}
        for sequence in sequences:
            with self._contain_errors(sequence):
                masks[sequence] = sequence.state.mask()
        return masks

    def _accept_rows(self, sequence: Sequence, cache: KVCache, rows: list[DecodedRow]) -> int:
        """Append the tokens of a pass; return how many tokens of the draft were right."""
        right = 0
        for row in rows:
            going = self._accept_logits(sequence, row.logits, row.greedy)
            if not going or sequence.state.last_token != row.proposed:
                break
            cache.advance([sequence.slot], 1)  # the proposed token stays
            right += 1
        return right

    def _accept_logits(
        self, sequence: Sequence, logits: Tensor, greedy: GreedyChoice | None = None
    ) -> bool:
        """Append the next token and report it; return False when that was the end."""
        if sequence.accept_logits(logits, greedy):
            self._report(sequence.report_token)
            return True
        self._report(sequence.report_end)
        self._end(sequence)
        return False

    @contextmanager
    def _contain_errors(self, sequence: Sequence) -> Iterator[None]:
        """End this request, and no other, when an error is raised inside."""
        try:
            yield
        except UsageError as error:  # its sentence says all
            self._end(sequence, error)
        except Exception as error:
            log.exception("A request failed")
            self._end(sequence, error)

    @contextmanager
    def _report_failure(self, request: Request) -> Iterator[None]:
        """End a request that has no sequence when an error is raised inside."""
        try:
            yield
        except UsageError as error:
            request.on_end(error)
        except Exception as error:
            log.exception("A request could not begin")
            request.on_end(error)

    def _report(self, report: Callable[[], None]) -> None:
        """Have a sequence send its events. Nobody can cancel meanwhile but their receiver."""
        with self._changed:
            report()

    def _end(self, sequence: Sequence, error: Exception | None = None) -> None:
        self._release(sequence)
        with self._changed:
            if not sequence.request.cancelled:
                sequence.request.on_end(error)

    def _release(self, sequence: Sequence) -> None:
        """Free its slot. The lock is not held: clearing a long answer's takes some 100 ms."""
        with self._changed:
            self._planner.remove(sequence)
        sequence.close()

    def _note_step(self) -> None:
        with self._changed:
            self._last_step = time.monotonic()
