from collections.abc import Generator, Iterator
from queue import Queue
from threading import Event as Flag

import pytest

from tests.engine.material import DEADLINE_S, wait_until
from voxgate.engine.scheduler import Scheduler, Work
from voxgate.errors import EngineBusyError
from voxgate.transcript.values import Done, Event, Progress


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler(concurrency=1, queue_limit=2)
    yield scheduler
    scheduler.stop(DEADLINE_S)


class Piece:
    """Work that takes a step each time it is let, and notes what is told of it."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.let: Queue[bool] = Queue()  # False: the last step
        self.told: list[Event] = []
        self.ended: Queue[Exception | None] = Queue()
        self.closed = Flag()
        self.error = error
        self.work = Work(self._steps, self.told.append, self.ended.put)

    def _steps(self) -> Generator[Event, None, None]:
        try:
            while self.let.get(timeout=DEADLINE_S):
                yield Progress(1.0)
            if self.error:
                raise self.error
            yield Done()
        finally:
            self.closed.set()


def test_work_is_done_first_come_first_served(scheduler: Scheduler) -> None:
    first, second = Piece(), Piece()
    scheduler.add(first.work)
    scheduler.add(second.work)
    wait_until(lambda: (scheduler.active, scheduler.queued) == (1, 1))
    second.let.put(False)  # it could finish at once, and has to wait
    first.let.put(True)
    first.let.put(False)
    assert first.ended.get(timeout=DEADLINE_S) is None
    assert second.ended.get(timeout=DEADLINE_S) is None
    assert first.told == [Progress(1.0), Done()]
    assert (scheduler.active, scheduler.queued, scheduler.step_age_s) == (0, 0, None)


def test_a_full_queue_refuses(scheduler: Scheduler) -> None:
    running, *waiting = Piece(), Piece(), Piece()
    scheduler.add(running.work)
    wait_until(lambda: scheduler.active == 1)
    for piece in waiting:
        scheduler.add(piece.work)
    with pytest.raises(EngineBusyError, match="2 windows waiting"):
        scheduler.add(Piece().work)
    for piece in (running, *waiting):
        piece.let.put(False)
    assert waiting[-1].ended.get(timeout=DEADLINE_S) is None


def test_cancelled_work_stops_at_its_next_step_and_says_nothing(scheduler: Scheduler) -> None:
    running, waiting, after = Piece(), Piece(), Piece()
    for piece in (running, waiting):
        scheduler.add(piece.work)
    wait_until(lambda: scheduler.active == 1)
    scheduler.add(after.work)
    scheduler.cancel(waiting.work)
    assert scheduler.queued == 1
    scheduler.cancel(running.work)
    running.let.put(True)
    assert running.closed.wait(DEADLINE_S)
    after.let.put(False)
    assert after.ended.get(timeout=DEADLINE_S) is None
    assert running.told == waiting.told == []
    assert running.ended.empty()
    assert not waiting.closed.is_set()
    scheduler.cancel(after.work)  # finished: nothing happens


def test_an_error_ends_its_own_work_alone(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    error = OSError("out of luck")
    broken, next_one = Piece(error=error), Piece()
    for piece in (broken, next_one):
        scheduler.add(piece.work)
        piece.let.put(False)
    assert broken.ended.get(timeout=DEADLINE_S) is error
    assert next_one.ended.get(timeout=DEADLINE_S) is None
    assert "out of luck" in caplog.text


def test_the_age_of_a_step_grows_until_the_next(scheduler: Scheduler) -> None:
    piece = Piece()
    assert scheduler.step_age_s is None
    scheduler.add(piece.work)
    wait_until(lambda: (scheduler.step_age_s or 0) > 0.05)
    piece.let.put(True)
    wait_until(lambda: (scheduler.step_age_s or 1) < 0.05)
    piece.let.put(False)
    piece.ended.get(timeout=DEADLINE_S)


def test_a_stopped_scheduler_takes_nothing(scheduler: Scheduler) -> None:
    running, waiting = Piece(), Piece()
    scheduler.add(running.work)
    scheduler.add(waiting.work)
    running.let.put(True)
    wait_until(lambda: running.told != [])
    running.let.put(True)
    scheduler.stop(0)
    scheduler.stop(DEADLINE_S)
    assert running.closed.is_set()
    assert not waiting.closed.is_set()
    with pytest.raises(EngineBusyError):
        scheduler.add(Piece().work)
