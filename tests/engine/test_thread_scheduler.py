"""Windows one after another, each by a generator of its own."""

from collections.abc import Generator, Iterator
from queue import Queue
from threading import Event as Flag

import pytest

from tests.engine.material import DEADLINE_S, wait_until
from voxgate.engine.queue import Lane, WindowRequest
from voxgate.engine.thread_scheduler import ThreadScheduler
from voxgate.errors import EngineBusyError
from voxgate.transcript.values import Done, Event, Options, Progress

PIECES: dict[bytes, "Piece"] = {}  # by their sound


def recognise(pcm16: bytes, _options: Options) -> Generator[Event, None, None]:
    yield from PIECES[pcm16].steps()


@pytest.fixture
def windows() -> Iterator[ThreadScheduler]:
    windows = ThreadScheduler(recognise, concurrency=1, queue_limit=2)
    yield windows
    windows.stop(DEADLINE_S)
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
        self.work = WindowRequest(pcm16, Options(), self.told.append, self.ended.put, lane)

    def steps(self) -> Generator[Event, None, None]:
        try:
            while self.let.get(timeout=DEADLINE_S):
                yield Progress(1.0)
            if self.error:
                raise self.error
            yield Done()
        finally:
            self.closed.set()


def test_work_is_done_first_come_first_served(windows: ThreadScheduler) -> None:
    first, second = Piece(), Piece()
    windows.add(first.work)
    windows.add(second.work)
    wait_until(lambda: (windows.active, windows.queued) == (1, 1))
    second.let.put(False)  # it could finish at once, and has to wait
    first.let.put(True)
    first.let.put(False)
    assert first.ended.get(timeout=DEADLINE_S) is None
    assert second.ended.get(timeout=DEADLINE_S) is None
    assert first.told == [Progress(1.0), Done()]
    assert (windows.active, windows.queued, windows.step_age_s) == (0, 0, None)


def test_live_work_comes_before_all_that_waits(windows: ThreadScheduler) -> None:
    running, waiting, live = Piece(), Piece(), Piece("live")
    windows.add(running.work)
    wait_until(lambda: windows.active == 1)
    windows.add(waiting.work)
    windows.add(live.work)
    for piece in (running, live):
        piece.let.put(False)
        assert piece.ended.get(timeout=DEADLINE_S) is None
    assert waiting.told == []
    waiting.let.put(False)
    assert waiting.ended.get(timeout=DEADLINE_S) is None


def test_a_full_queue_refuses(windows: ThreadScheduler) -> None:
    running, *waiting = Piece(), Piece(), Piece()
    windows.add(running.work)
    wait_until(lambda: windows.active == 1)
    for piece in waiting:
        windows.add(piece.work)
    with pytest.raises(EngineBusyError, match="2 windows waiting"):
        windows.add(Piece().work)
    for piece in (running, *waiting):
        piece.let.put(False)
    assert waiting[-1].ended.get(timeout=DEADLINE_S) is None


def test_cancelled_work_stops_at_its_next_step_and_says_nothing(windows: ThreadScheduler) -> None:
    running, waiting, after = Piece(), Piece(), Piece()
    for piece in (running, waiting):
        windows.add(piece.work)
    wait_until(lambda: windows.active == 1)
    windows.add(after.work)
    windows.cancel(waiting.work)
    assert windows.queued == 1
    windows.cancel(running.work)
    running.let.put(True)
    assert running.closed.wait(DEADLINE_S)
    after.let.put(False)
    assert after.ended.get(timeout=DEADLINE_S) is None
    assert running.told == waiting.told == []
    assert running.ended.empty()
    assert not waiting.closed.is_set()
    windows.cancel(after.work)  # finished: nothing happens


def test_an_error_ends_its_own_work_alone(
    windows: ThreadScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    error = OSError("out of luck")
    broken, next_one = Piece(error=error), Piece()
    for piece in (broken, next_one):
        windows.add(piece.work)
        piece.let.put(False)
    assert broken.ended.get(timeout=DEADLINE_S) is error
    assert next_one.ended.get(timeout=DEADLINE_S) is None
    assert "out of luck" in caplog.text


def test_the_age_of_a_step_grows_until_the_next(windows: ThreadScheduler) -> None:
    piece = Piece()
    assert windows.step_age_s is None
    windows.add(piece.work)
    wait_until(lambda: (windows.step_age_s or 0) > 0.05)
    piece.let.put(True)
    wait_until(lambda: (windows.step_age_s or 1) < 0.05)
    piece.let.put(False)
    piece.ended.get(timeout=DEADLINE_S)


def test_nothing_is_taken_after_the_stop(windows: ThreadScheduler) -> None:
    running, waiting = Piece(), Piece()
    windows.add(running.work)
    windows.add(waiting.work)
    running.let.put(True)
    wait_until(lambda: running.told != [])
    running.let.put(True)
    windows.stop(0)
    windows.stop(DEADLINE_S)
    assert running.closed.is_set()
    assert not waiting.closed.is_set()
    with pytest.raises(EngineBusyError):
        windows.add(Piece().work)
