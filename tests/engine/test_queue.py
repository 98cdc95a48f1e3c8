"""Who waits, and whose turn is next."""

import pytest

from voxgate.engine.queue import Lane, RequestQueue, WindowRequest
from voxgate.errors import EngineBusyError
from voxgate.transcript.values import Event, Options


def work(lane: Lane = "batch") -> WindowRequest:
    def tell(_: Event) -> None:
        raise AssertionError("nobody works on it")

    def end(_: Exception | None) -> None:
        raise AssertionError("nobody works on it")

    return WindowRequest(b"", Options(), tell, end, lane)


def test_live_before_batch_and_in_each_lane_who_came_first() -> None:
    waiting = RequestQueue()
    batch, live = [work(), work()], [work("live"), work("live")]
    for one in (batch[0], live[0], batch[1], live[1]):
        waiting.add(one)
    order = []
    while (one_more := waiting.first()) is not None:
        order.append(one_more)
        waiting.remove(one_more)
    assert order == [*live, *batch]


def test_a_lane_may_be_asked_alone() -> None:
    waiting = RequestQueue()
    batch = work()
    waiting.add(batch)
    assert waiting.first("live") is None
    assert waiting.first("batch") is batch
    waiting.remove(work())  # does not wait: nothing happens
    assert len(waiting) == 1


def test_the_limit_is_over_both_lanes() -> None:
    waiting = RequestQueue(limit=2)
    waiting.add(work())
    waiting.add(work("live"))
    for late in (work(), work("live")):
        with pytest.raises(EngineBusyError, match="2 windows waiting"):
            waiting.add(late)


def test_a_closed_one_is_empty_and_takes_nothing() -> None:
    waiting = RequestQueue()
    waiting.add(work())
    waiting.close()
    assert (len(waiting), waiting.first()) == (0, None)
    with pytest.raises(EngineBusyError):
        waiting.add(work())
