"""Windows that wait together are recognised together, and each ends by itself."""

from __future__ import annotations

import threading
import time
from queue import Queue
from typing import TYPE_CHECKING

import pytest

from tests.engine.material import DEADLINE_S, wait_until
from tests.failures import raises
from voxgate.answers.values import Message, Question, TextPart
from voxgate.engine.group_scheduler import GroupScheduler
from voxgate.engine.queue import QuestionRequest, WindowRequest
from voxgate.transcript.values import Done, Event, Options, Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence


class Recogniser:
    """Recognises nothing; records its groups, waits where told to, fails for the window `bad`."""

    def __init__(self) -> None:
        self.groups: list[list[bytes]] = []
        self.entered = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def __call__(
        self, requests: Sequence[WindowRequest]
    ) -> Generator[tuple[WindowRequest, Event] | None, None, None]:
        self.groups.append([request.pcm16 for request in requests])
        self.entered.release()
        assert self.go.acquire(timeout=DEADLINE_S)
        yield None
        if any(request.pcm16 == b"bad" for request in requests):
            raise ValueError("bad")
        for request in requests:
            yield request, Progress(1.0)
            yield request, Done("en")


class Window(WindowRequest):
    """A window whose end can be waited for."""

    def __init__(self, pcm16: bytes) -> None:
        self.events: list[Event] = []
        self.ended: Queue[Exception | None] = Queue()
        super().__init__(pcm16, Options(), self.events.append, self.ended.put)

    def end(self) -> Exception | None:
        return self.ended.get(timeout=DEADLINE_S)


@pytest.fixture
def recogniser() -> Recogniser:
    return Recogniser()


@pytest.fixture
def scheduler(recogniser: Recogniser) -> Generator[GroupScheduler, None, None]:
    scheduler = GroupScheduler(recogniser, size=3, queue_limit=5)
    yield scheduler
    for _ in range(20):
        recogniser.go.release()
    scheduler.stop(DEADLINE_S)


def add(scheduler: GroupScheduler, *sounds: bytes) -> list[Window]:
    windows = [Window(sound) for sound in sounds]
    for window in windows:
        scheduler.add(window)
    return windows


def begin(scheduler: GroupScheduler, recogniser: Recogniser) -> Window:
    """Add a first window, and return when it is being recognised."""
    (first,) = add(scheduler, b"first")
    assert recogniser.entered.acquire(timeout=DEADLINE_S)
    return first


def test_windows_that_wait_are_one_group(scheduler: GroupScheduler, recogniser: Recogniser) -> None:
    first = begin(scheduler, recogniser)
    rest = add(scheduler, b"a", b"b", b"c", b"d")
    assert (scheduler.active, scheduler.queued) == (1, 4)
    for _ in range(3):
        recogniser.go.release()
    assert [window.end() for window in (first, *rest)] == [None] * 5
    assert recogniser.groups == [[b"first"], [b"a", b"b", b"c"], [b"d"]]
    assert rest[0].events == [Progress(1.0), Done("en")]
    assert scheduler.step_age_s is None


def test_a_question_is_refused(scheduler: GroupScheduler) -> None:
    """Nobody asks a Whisper: the app refuses before."""
    question = Question((Message("user", (TextPart("What?"),)),))
    with raises("unsupported_option", match="answers no questions"):
        scheduler.add(QuestionRequest(question, b"", print, print))


def test_a_group_waits_a_little_for_the_callers_of_the_one_before(recogniser: Recogniser) -> None:
    scheduler = GroupScheduler(recogniser, size=3, linger_s=DEADLINE_S)
    first = begin(scheduler, recogniser)
    recogniser.go.release(4)
    assert first.end() is None
    for sound in (b"a", b"b", b"c"):
        (last,) = add(scheduler, sound)
    assert last.end() is None
    scheduler.stop(DEADLINE_S)
    assert recogniser.groups == [[b"first"], [b"a", b"b", b"c"]]


def test_workers_have_groups_at_the_same_time(recogniser: Recogniser) -> None:
    scheduler = GroupScheduler(recogniser, size=2, workers=2)
    first = begin(scheduler, recogniser)
    second = begin(scheduler, recogniser)  # while the first waits
    rest = add(scheduler, b"a", b"b", b"c")
    assert (scheduler.active, scheduler.queued) == (2, 3)
    recogniser.go.release(4)
    assert [window.end() for window in (first, second, *rest)] == [None] * 5
    assert sorted(map(len, recogniser.groups)) == [1, 1, 1, 2]
    scheduler.stop(DEADLINE_S)
    assert scheduler.step_age_s is None


def test_the_scheduler_outlives_windows_that_are_cancelled_while_a_group_waits(
    recogniser: Recogniser,
) -> None:
    scheduler = GroupScheduler(recogniser, size=2, linger_s=0.5)
    first = begin(scheduler, recogniser)
    recogniser.go.release(5)
    assert first.end() is None
    (gone,) = add(scheduler, b"gone")
    scheduler.cancel(gone)  # while the scheduler waits for a second one, but on a very slow machine
    wait_until(lambda: scheduler.active == 0)
    (last,) = add(scheduler, b"last")
    assert last.end() is None
    scheduler.stop(DEADLINE_S)


def test_a_window_that_fails_ends_alone(scheduler: GroupScheduler, recogniser: Recogniser) -> None:
    first = begin(scheduler, recogniser)
    good, bad, better = add(scheduler, b"good", b"bad", b"better")
    for _ in range(5):
        recogniser.go.release()
    assert first.end() is None
    assert good.end() is None
    assert better.end() is None
    assert isinstance(bad.end(), ValueError)
    assert good.events == [Progress(1.0), Done("en")]


def test_a_cancelled_window_is_left_out(scheduler: GroupScheduler, recogniser: Recogniser) -> None:
    first = begin(scheduler, recogniser)
    waiting, last = add(scheduler, b"waiting", b"last")
    scheduler.cancel(waiting)
    scheduler.cancel(first)
    for _ in range(2):
        recogniser.go.release()
    assert last.end() is None
    assert recogniser.groups == [[b"first"], [b"last"]]
    assert first.events == []
    assert first.ended.empty()


def test_a_full_queue_refuses(scheduler: GroupScheduler, recogniser: Recogniser) -> None:
    begin(scheduler, recogniser)
    add(scheduler, b"1", b"2", b"3", b"4", b"5")
    with raises("engine_busy"):
        add(scheduler, b"6")


def test_a_step_without_work_grows_old(scheduler: GroupScheduler, recogniser: Recogniser) -> None:
    begin(scheduler, recogniser)
    ages = list[float]()
    while not ages or ages[-1] < 0.2:
        age = scheduler.step_age_s
        assert age is not None
        ages.append(age)
        threading.Event().wait(0.05)


def test_a_long_step_is_alive_while_it_computes(recogniser: Recogniser) -> None:
    enough = threading.Event()

    def recognise(
        requests: Sequence[WindowRequest],
    ) -> Generator[tuple[WindowRequest, Event] | None, None, None]:
        while not enough.is_set():
            sum(range(1000))
        yield requests[0], Done()

    scheduler = GroupScheduler(recognise, size=1, long_steps=True)
    (window,) = add(scheduler, b"long")
    start = time.monotonic()
    wait_until(lambda: time.monotonic() - start > 0.5 and scheduler.step_age_s == 0.0)
    enough.set()
    assert window.end() is None
    scheduler.stop(DEADLINE_S)


def test_after_stop_nothing_is_taken(scheduler: GroupScheduler, recogniser: Recogniser) -> None:
    first = begin(scheduler, recogniser)
    recogniser.go.release()
    scheduler.stop(DEADLINE_S)
    assert first.ended.empty()
    with raises("engine_busy"):
        add(scheduler, b"late")
