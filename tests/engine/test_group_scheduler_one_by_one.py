"""Windows one after another, each with its own generator."""

from collections.abc import Generator, Iterator
from queue import Queue
from threading import Event as Flag

import pytest

from tests.engine.material import DEADLINE_S, one_by_one, wait_until
from tests.failures import raises
from voxgate.engine.group_scheduler import GroupScheduler
from voxgate.engine.queue import WindowRequest
from voxgate.transcript.values import Done, Event, Options, Progress

REQUESTS: dict[bytes, "ScriptedRequest"] = {}  # by their PCM


def recognise(pcm16: bytes, _options: Options) -> Generator[Event, None, None]:
    yield from REQUESTS[pcm16].recognise()


@pytest.fixture
def scheduler() -> Iterator[GroupScheduler]:
    scheduler = GroupScheduler(one_by_one(recognise), size=1, queue_limit=2)
    yield scheduler
    scheduler.stop(DEADLINE_S)
    REQUESTS.clear()


class ScriptedRequest:
    """A request whose generator takes a step when the test allows it, and its recorded events."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.steps_allowed: Queue[bool] = Queue()  # False: the last step
        self.received: list[Event] = []
        self.ended: Queue[Exception | None] = Queue()
        self.closed = Flag()
        self.error = error
        pcm16 = len(REQUESTS).to_bytes(2, "little")
        REQUESTS[pcm16] = self
        self.request = WindowRequest(pcm16, Options(), self.received.append, self.ended.put)

    def recognise(self) -> Generator[Event, None, None]:
        try:
            while self.steps_allowed.get(timeout=DEADLINE_S):
                yield Progress(1.0)
            if self.error:
                raise self.error
            yield Done()
        finally:
            self.closed.set()


def test_windows_are_served_first_come_first_served(scheduler: GroupScheduler) -> None:
    first, second = ScriptedRequest(), ScriptedRequest()
    scheduler.add(first.request)
    scheduler.add(second.request)
    wait_until(lambda: (scheduler.active, scheduler.queued) == (1, 1))
    second.steps_allowed.put(False)  # it could finish at once, but must wait
    first.steps_allowed.put(True)
    first.steps_allowed.put(False)
    assert first.ended.get(timeout=DEADLINE_S) is None
    assert second.ended.get(timeout=DEADLINE_S) is None
    assert first.received == [Progress(1.0), Done()]
    assert (scheduler.active, scheduler.queued, scheduler.step_age_s) == (0, 0, None)


def test_a_full_queue_refuses(scheduler: GroupScheduler) -> None:
    running, *waiting = ScriptedRequest(), ScriptedRequest(), ScriptedRequest()
    scheduler.add(running.request)
    wait_until(lambda: scheduler.active == 1)
    for scripted in waiting:
        scheduler.add(scripted.request)
    with raises("engine_busy", match="2 windows waiting"):
        scheduler.add(ScriptedRequest().request)
    for scripted in (running, *waiting):
        scripted.steps_allowed.put(False)
    assert waiting[-1].ended.get(timeout=DEADLINE_S) is None


def test_a_cancelled_window_stops_at_its_next_step_silently(scheduler: GroupScheduler) -> None:
    running, waiting, after = ScriptedRequest(), ScriptedRequest(), ScriptedRequest()
    for scripted in (running, waiting):
        scheduler.add(scripted.request)
    wait_until(lambda: scheduler.active == 1)
    scheduler.add(after.request)
    scheduler.cancel(waiting.request)
    assert scheduler.queued == 1
    scheduler.cancel(running.request)
    running.steps_allowed.put(True)
    assert running.closed.wait(DEADLINE_S)
    after.steps_allowed.put(False)
    assert after.ended.get(timeout=DEADLINE_S) is None
    assert running.received == waiting.received == []
    assert running.ended.empty()
    assert not waiting.closed.is_set()
    scheduler.cancel(after.request)  # finished: nothing happens


def test_an_error_ends_its_own_window_alone(
    scheduler: GroupScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    error = OSError("out of luck")
    broken, next_one = ScriptedRequest(error=error), ScriptedRequest()
    for scripted in (broken, next_one):
        scheduler.add(scripted.request)
        scripted.steps_allowed.put(False)
    assert broken.ended.get(timeout=DEADLINE_S) is error
    assert next_one.ended.get(timeout=DEADLINE_S) is None
    assert "out of luck" in caplog.text


def test_the_age_of_a_step_grows_until_the_next(scheduler: GroupScheduler) -> None:
    scripted = ScriptedRequest()
    assert scheduler.step_age_s is None
    scheduler.add(scripted.request)
    wait_until(lambda: (scheduler.step_age_s or 0) > 0.05)
    scripted.steps_allowed.put(True)
    wait_until(lambda: (scheduler.step_age_s or 1) < 0.05)
    scripted.steps_allowed.put(False)
    scripted.ended.get(timeout=DEADLINE_S)


def test_nothing_is_accepted_after_stop(scheduler: GroupScheduler) -> None:
    running, waiting = ScriptedRequest(), ScriptedRequest()
    scheduler.add(running.request)
    scheduler.add(waiting.request)
    running.steps_allowed.put(True)
    wait_until(lambda: running.received != [])
    running.steps_allowed.put(True)
    scheduler.stop(0)
    scheduler.stop(DEADLINE_S)
    assert running.closed.is_set()
    assert not waiting.closed.is_set()
    with raises("engine_busy"):
        scheduler.add(ScriptedRequest().request)
