"""Windows one after another, each by a generator of its own."""

from collections.abc import Generator, Iterator
from queue import Queue
from threading import Event as Flag

import pytest

from tests.engine.material import DEADLINE_S, wait_until
from voxgate.engine.turns import Turns
from voxgate.engine.work import Lane, Work
from voxgate.errors import EngineBusyError
from voxgate.transcript.values import Done, Event, Options, Progress

PIECES: dict[bytes, "Piece"] = {}  # by their sound


def recognise(pcm16: bytes, _options: Options) -> Generator[Event, None, None]:
    yield from PIECES[pcm16].steps()


@pytest.fixture
def turns() -> Iterator[Turns]:
    turns = Turns(recognise, concurrency=1, queue_limit=2)
    yield turns
    turns.stop(DEADLINE_S)
    PIECES.clear()


class Piece:
    """Work that takes a step each time it is let, and notes what is told of it."""

    def __init__(self, lane: Lane = "batch", *, error: Exception | None = None) -> None:
        self.let: Queue[bool] = Queue()  # False: the last step
        self.told: list[Event] = []
        self.ended: Queue[Exception | None] = Queue()
        self.closed = Flag()
        self.error = error
        pcm16 = len(PIECES).to_bytes(2, "little")
        PIECES[pcm16] = self
        self.work = Work(pcm16, Options(), self.told.append, self.ended.put, lane)

    def steps(self) -> Generator[Event, None, None]:
        try:
            while self.let.get(timeout=DEADLINE_S):
                yield Progress(1.0)
            if self.error:
                raise self.error
            yield Done()
        finally:
            self.closed.set()


def test_work_is_done_first_come_first_served(turns: Turns) -> None:
    first, second = Piece(), Piece()
    turns.add(first.work)
    turns.add(second.work)
    wait_until(lambda: (turns.active, turns.queued) == (1, 1))
    second.let.put(False)  # it could finish at once, and has to wait
    first.let.put(True)
    first.let.put(False)
    assert first.ended.get(timeout=DEADLINE_S) is None
    assert second.ended.get(timeout=DEADLINE_S) is None
    assert first.told == [Progress(1.0), Done()]
    assert (turns.active, turns.queued, turns.step_age_s) == (0, 0, None)


def test_live_work_comes_before_all_that_waits(turns: Turns) -> None:
    running, waiting, live = Piece(), Piece(), Piece("live")
    turns.add(running.work)
    wait_until(lambda: turns.active == 1)
    turns.add(waiting.work)
    turns.add(live.work)
    for piece in (running, live):
        piece.let.put(False)
        assert piece.ended.get(timeout=DEADLINE_S) is None
    assert waiting.told == []
    waiting.let.put(False)
    assert waiting.ended.get(timeout=DEADLINE_S) is None


def test_a_full_queue_refuses(turns: Turns) -> None:
    running, *waiting = Piece(), Piece(), Piece()
    turns.add(running.work)
    wait_until(lambda: turns.active == 1)
    for piece in waiting:
        turns.add(piece.work)
    with pytest.raises(EngineBusyError, match="2 windows waiting"):
        turns.add(Piece().work)
    for piece in (running, *waiting):
        piece.let.put(False)
    assert waiting[-1].ended.get(timeout=DEADLINE_S) is None


def test_cancelled_work_stops_at_its_next_step_and_says_nothing(turns: Turns) -> None:
    running, waiting, after = Piece(), Piece(), Piece()
    for piece in (running, waiting):
        turns.add(piece.work)
    wait_until(lambda: turns.active == 1)
    turns.add(after.work)
    turns.cancel(waiting.work)
    assert turns.queued == 1
    turns.cancel(running.work)
    running.let.put(True)
    assert running.closed.wait(DEADLINE_S)
    after.let.put(False)
    assert after.ended.get(timeout=DEADLINE_S) is None
    assert running.told == waiting.told == []
    assert running.ended.empty()
    assert not waiting.closed.is_set()
    turns.cancel(after.work)  # finished: nothing happens


def test_an_error_ends_its_own_work_alone(turns: Turns, caplog: pytest.LogCaptureFixture) -> None:
    error = OSError("out of luck")
    broken, next_one = Piece(error=error), Piece()
    for piece in (broken, next_one):
        turns.add(piece.work)
        piece.let.put(False)
    assert broken.ended.get(timeout=DEADLINE_S) is error
    assert next_one.ended.get(timeout=DEADLINE_S) is None
    assert "out of luck" in caplog.text


def test_the_age_of_a_step_grows_until_the_next(turns: Turns) -> None:
    piece = Piece()
    assert turns.step_age_s is None
    turns.add(piece.work)
    wait_until(lambda: (turns.step_age_s or 0) > 0.05)
    piece.let.put(True)
    wait_until(lambda: (turns.step_age_s or 1) < 0.05)
    piece.let.put(False)
    piece.ended.get(timeout=DEADLINE_S)


def test_nothing_is_taken_after_the_stop(turns: Turns) -> None:
    running, waiting = Piece(), Piece()
    turns.add(running.work)
    turns.add(waiting.work)
    running.let.put(True)
    wait_until(lambda: running.told != [])
    running.let.put(True)
    turns.stop(0)
    turns.stop(DEADLINE_S)
    assert running.closed.is_set()
    assert not waiting.closed.is_set()
    with pytest.raises(EngineBusyError):
        turns.add(Piece().work)
