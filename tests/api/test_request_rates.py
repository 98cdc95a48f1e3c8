"""How many requests a minute are counted, and when the next one is taken."""

import time

import pytest

from voxgate.api.request_rates import PERIOD_S, RateError, RequestRates

KEY = "c0ffee" + "0" * 58


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(rates: RequestRates, key: str, limit: int) -> RateError:
    with pytest.raises(RateError) as caught:
        rates.take(key, limit)
    return caught.value


def test_a_key_sends_so_many_in_any_minute() -> None:
    clock = Clock()
    rates = RequestRates(clock)
    for _ in range(3):
        rates.take(KEY, 3)
        clock.now += 10
    error = refused(rates, KEY, 3)  # the first was 30 s ago
    assert (error.retry_after_s, error.limit) == (30, 3)
    assert abs(error.reset_ms / 1000 - time.time() - 30) < 20
    assert KEY[:12] in error.sentence
    clock.now += error.retry_after_s
    rates.take(KEY, 3)
    assert refused(rates, KEY, 3).retry_after_s == 10


def test_refused_requests_do_not_count() -> None:
    clock = Clock()
    rates = RequestRates(clock)
    rates.take(KEY, 1)
    for _ in range(50):
        clock.now += 1
        refused(rates, KEY, 1)
    clock.now += PERIOD_S - 50
    rates.take(KEY, 1)


def test_a_limit_that_is_changed_counts_at_once() -> None:
    clock = Clock()
    rates = RequestRates(clock)
    for _ in range(5):
        rates.take(KEY, 5)
        clock.now += 1
    assert refused(rates, KEY, 2).retry_after_s == 58  # the last but one, 2 s ago
    rates.take(KEY, 6)


def test_keys_are_counted_by_themselves_and_forgotten() -> None:
    clock = Clock()
    rates = RequestRates(clock)
    for number in range(100):
        rates.take(str(number), 1)
    clock.now += PERIOD_S
    rates.take(KEY, 1)
    assert list(rates._times) == [KEY]
