"""`Retry-After` from what was measured."""

import time

import pytest

from voxgate.api.jobs import LONGEST_S, UNKNOWN_S, CompletionRate


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_nothing_is_known_at_first() -> None:
    assert CompletionRate().seconds(3) == UNKNOWN_S


def test_it_is_the_interval_between_landings(clock: Clock) -> None:
    pace = CompletionRate()
    pace.began()
    for _ in range(40):
        clock.now += 2.5
        pace.landed(busy=True)
    assert pace.seconds(1) == 3
    assert pace.seconds(4) == 10
    assert pace.seconds(10_000) == LONGEST_S


def test_time_without_work_does_not_count(clock: Clock) -> None:
    pace = CompletionRate()
    for _ in range(10):
        pace.began()
        clock.now += 1
        pace.landed(busy=False)
        clock.now += 3600
    assert pace.seconds(1) == 1


def test_it_follows_a_change(clock: Clock) -> None:
    pace = CompletionRate()
    pace.began()
    for interval_s in [1.0] * 20 + [20.0] * 20:
        clock.now += interval_s
        pace.landed(busy=True)
    assert pace.seconds(1) in {19, 20}
