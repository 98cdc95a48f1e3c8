"""What a book of health says of its endpoints, by a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.histograms import ERROR
from voxgate.routing.health import RECENT_S, REST_S, SPANS_S, HealthBook, SavedHealth
from voxgate.routing.summary import HealthSummary, Pause
from voxgate.routing.tally import FAILURES, MIN_ATTEMPTS, EndedAttempt, Ending

if TYPE_CHECKING:
    from voxgate.histograms import Percentiles
    from voxgate.routing.summary import SpanFigures

SLUG = "groq/whisper"
SUCCESS = EndedAttempt("succeeded", 2.0, 30.0, 0.5)


class Clock:
    """Seconds that only a test lets pass."""

    def __init__(self, at: float = 1e6) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class Endpoint:
    """One endpoint of a book."""

    def __init__(self, slug: str = SLUG, at: float = 1e6) -> None:
        self.clock, self.slug = Clock(at), slug
        self.book = HealthBook(self.clock)

    def ends(self, ending: Ending, times: int = 1, *, retry_after_s: float | None = None) -> None:
        for _ in range(times):
            attempt = EndedAttempt(ending, 1.0, 30.0, retry_after_s=retry_after_s)
            self.book.record(self.slug, attempt)

    def passes(self, seconds: float) -> None:
        self.clock.at += seconds

    def summary(self) -> HealthSummary:
        return self.book.summary(self.slug)

    def pause(self) -> Pause | None:
        return self.summary().pause

    def left_s(self) -> float:
        """How long it is paused."""
        pause = self.pause()
        return pause.until - self.clock.at if pause else 0.0

    def claim(self) -> bool:
        return self.book.claim(self.slug)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


def test_uptime_is_successes_of_successes_and_failures_alone(endpoint: Endpoint) -> None:
    endpoint.ends("succeeded", 18)
    for ending in ("failed", "timed_out", "denied"):
        endpoint.ends(ending)
    for other in ("rate_limited", "refused", "cancelled"):
        endpoint.ends(other, 5)
    for figures in spans(endpoint.summary()):
        assert figures.attempts == 21
        assert figures.uptime == pytest.approx(100 * 18 / 21)


def test_of_few_attempts_there_is_no_figure(endpoint: Endpoint) -> None:
    for _ in range(MIN_ATTEMPTS - 1):
        endpoint.book.record(SLUG, SUCCESS)
    figures = endpoint.summary().last_5m
    assert figures.attempts == MIN_ATTEMPTS - 1
    assert figures.uptime is None
    assert figures.latency_s is None
    assert figures.throughput is None
    endpoint.book.record(SLUG, SUCCESS)
    figures = endpoint.summary().last_5m
    assert figures.uptime == 100.0
    assert near(figures.latency_s, 2.0)
    assert near(figures.first_text_s, 0.5)
    assert near(figures.throughput, 15.0)


def near(figure: Percentiles | None, value: float) -> bool:
    assert figure is not None
    of_all = figure.p50, figure.p75, figure.p90, figure.p99
    return all(abs(each - value) <= ERROR * value * 1.001 for each in of_all)


def test_percentiles_are_those_of_successes(endpoint: Endpoint) -> None:
    for number in range(1, 101):
        endpoint.book.record(SLUG, EndedAttempt("succeeded", number / 10, 30.0))
        endpoint.book.record(SLUG, EndedAttempt("timed_out", 60.0, 30.0))
    latency = endpoint.summary().last_30m.latency_s
    assert latency is not None
    assert latency.p50 == pytest.approx(5.0, rel=ERROR)
    assert latency.p99 == pytest.approx(9.9, rel=ERROR)
    assert endpoint.summary().last_30m.first_text_s is None


def spans(summary: HealthSummary) -> tuple[SpanFigures, ...]:
    return summary.last_5m, summary.last_30m, summary.last_1d


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["succeeded", "failed", "rate_limited"]),
            st.sampled_from([0.0, 1.0, 9.0, 60.0, 299.0, 3000.0, 90_000.0]),
        ),
        max_size=60,
    ),
    st.floats(-1e9, 1e9),
)
def test_a_span_has_the_attempts_of_its_time(
    history: list[tuple[Ending, float]], start: float
) -> None:
    """Up to a thirtieth of it: what is a cell older than the span may count no more."""
    endpoint, ended = Endpoint(at=start), list[tuple[Ending, float]]()
    for ending, then in history:
        endpoint.ends(ending)
        ended.append((ending, endpoint.clock.at))
        endpoint.passes(then)
    for figures, span_s in zip(spans(endpoint.summary()), SPANS_S.values(), strict=True):
        ages = [
            endpoint.clock.at - at
            for ending, at in ended
            if ending == "succeeded" or ending in FAILURES
        ]
        certain = sum(age < span_s * 29 / 30 - 1e-3 for age in ages)
        possible = sum(age <= span_s + 1e-3 for age in ages)
        assert certain <= figures.attempts <= possible


def test_a_clock_that_goes_back_breaks_nothing(endpoint: Endpoint) -> None:
    endpoint.ends("failed", 20)
    endpoint.ends("rate_limited", retry_after_s=50)
    assert not endpoint.claim()
    endpoint.passes(-1e5)
    assert endpoint.claim()
    assert endpoint.left_s() <= 1.0
    assert [figures.attempts for figures in spans(endpoint.summary())] == [0, 0, 0]
    endpoint.ends("succeeded", 20)
    assert [figures.uptime for figures in spans(endpoint.summary())] == [100.0] * 3


def test_memory_does_not_grow_with_attempts_or_time(endpoint: Endpoint) -> None:
    sizes = []
    for day in range(3):
        for number in range(3000):
            seconds = 0.001 * 1.1 ** (number % 100)
            endpoint.book.record(SLUG, EndedAttempt("succeeded", seconds, 30.0, seconds))
            endpoint.passes(30)
        sizes.append(len(msgspec.json.encode(endpoint.book.dump())))
        assert day == 0 or sizes[-1] <= 1.1 * sizes[0]


def test_an_endpoint_is_unstable_while_a_fifth_of_its_latest_attempts_failed(
    endpoint: Endpoint,
) -> None:
    endpoint.ends("succeeded", 9)
    endpoint.ends("failed", 2)
    assert not endpoint.summary().unstable
    endpoint.ends("failed", 1)
    assert endpoint.summary().unstable
    endpoint.passes(RECENT_S)
    assert not endpoint.summary().unstable


def test_five_failures_in_a_row_open_the_breaker(endpoint: Endpoint) -> None:
    endpoint.ends("failed", 2)
    endpoint.ends("timed_out", 2)
    endpoint.ends("cancelled")
    assert endpoint.claim()
    endpoint.ends("denied")
    assert endpoint.pause() == Pause("failing", endpoint.clock.at + 5.0)
    assert not endpoint.claim()


def test_a_success_between_keeps_it_closed_until_half_of_many_fail(endpoint: Endpoint) -> None:
    for _ in range(4):
        endpoint.ends("failed", 1)
        endpoint.ends("succeeded", 1)
    assert endpoint.claim()
    endpoint.ends("failed", 2)
    assert not endpoint.claim()


def test_half_open_it_lets_one_attempt_at_a_time_through(endpoint: Endpoint) -> None:
    endpoint.ends("failed", 5)
    endpoint.passes(5)
    assert endpoint.pause() is None
    assert endpoint.summary().unstable
    assert endpoint.claim()
    assert not endpoint.claim()
    assert endpoint.pause() == Pause("failing", endpoint.clock.at + 1.0)
    endpoint.ends("cancelled")
    assert endpoint.claim()
    endpoint.ends("succeeded")
    assert endpoint.claim()
    assert endpoint.claim()
    endpoint.passes(RECENT_S)
    assert not endpoint.summary().unstable


def test_each_failed_probe_doubles_the_pause_up_to_five_minutes(endpoint: Endpoint) -> None:
    endpoint.ends("failed", 5)
    pauses = []
    for _ in range(8):
        pauses.append(endpoint.left_s())
        endpoint.ends("failed")  # one that began before
        endpoint.passes(pauses[-1])
        assert endpoint.claim()
        endpoint.ends("timed_out")
    assert pauses == pytest.approx([5, 10, 20, 40, 80, 160, 300, 300])
    endpoint.passes(300)
    endpoint.ends("refused")  # its answer, if not one for the caller
    endpoint.passes(RECENT_S)
    endpoint.ends("failed", 5)
    assert endpoint.left_s() == pytest.approx(5)


def test_a_probe_whose_end_nobody_tells_gives_way(endpoint: Endpoint) -> None:
    endpoint.ends("failed", 5)
    endpoint.passes(5)
    assert endpoint.claim()
    endpoint.passes(59)
    assert not endpoint.claim()
    endpoint.passes(1)
    assert endpoint.claim()


def test_this_installation_has_no_breaker() -> None:
    """One recording at which an engine ends must not keep all others from it."""
    endpoint = Endpoint("local/openai/whisper-base")
    endpoint.ends("failed", 50)
    assert endpoint.claim()
    assert endpoint.summary().unstable
    assert endpoint.summary().uptime == 0.0


def test_what_says_429_rests_for_as_long_as_it_says(endpoint: Endpoint) -> None:
    endpoint.ends("rate_limited", retry_after_s=40)
    endpoint.ends("rate_limited", retry_after_s=20)
    endpoint.ends("succeeded")  # one that began before
    assert endpoint.pause() == Pause("rate_limited", endpoint.clock.at + 40)
    assert not endpoint.claim()
    endpoint.passes(40)
    assert endpoint.claim()
    assert not endpoint.summary().unstable
    endpoint.ends("rate_limited")
    assert endpoint.pause() == Pause("rate_limited", endpoint.clock.at + REST_S)
    endpoint.ends("failed", retry_after_s=60)
    assert endpoint.pause() == Pause("failing", endpoint.clock.at + 60)


@pytest.mark.parametrize("wanted_s", [-5.0, 0.0])
def test_a_rest_of_no_time_is_none(endpoint: Endpoint, wanted_s: float) -> None:
    endpoint.ends("rate_limited", retry_after_s=wanted_s)
    assert endpoint.claim()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["succeeded", "failed", "rate_limited", "denied"]),
            st.floats(0, 100),
        ),
        max_size=40,
    ),
    st.floats(-1e9, 1e9),
)
def test_health_survives_a_restart(history: list[tuple[Ending, float]], start: float) -> None:
    """Through JSON, into a book whose clock began at another moment."""
    before, after = Endpoint(), Endpoint(at=start)
    for ending, then in history:
        before.ends(ending)
        before.passes(then)
    text = msgspec.json.encode(before.book.dump())
    after.book.load(msgspec.json.decode(text, type=dict[str, SavedHealth]), 0.0)
    was, now = before.summary(), after.summary()
    assert replace(now, pause=None, unstable=False) == replace(was, pause=None, unstable=False)
    assert (was.pause is None) == (now.pause is None)
    if was.pause and now.pause:
        left_s = was.pause.until - before.clock.at
        assert now.pause.until - after.clock.at == pytest.approx(left_s, abs=1e-3)
        assert now.pause.reason == was.pause.reason


def test_what_was_down_for_a_while_is_older_by_that() -> None:
    before, after = Endpoint(), Endpoint(at=7.0)
    before.ends("succeeded", 20)
    before.ends("rate_limited", retry_after_s=700)
    after.book.load(before.book.dump(), 600.0)
    assert [figures.attempts for figures in spans(after.summary())] == [0, 20, 20]
    assert after.pause() == Pause("rate_limited", 107.0)


def test_a_wall_clock_that_went_back_loads_all_as_new() -> None:
    before, after = Endpoint(), Endpoint(at=7.0)
    before.ends("failed", 20)
    after.book.load(before.book.dump(), -3600.0)
    assert [figures.attempts for figures in spans(after.summary())] == [20, 20, 20]
    assert after.pause() == Pause("failing", 12.0)


def test_a_dump_is_not_changed_by_later_attempts(endpoint: Endpoint) -> None:
    endpoint.ends("succeeded")
    dump = endpoint.book.dump()
    text = msgspec.json.encode(dump)
    endpoint.ends("succeeded", 3)
    assert msgspec.json.encode(dump) == text
    assert list(dump) == [SLUG]


@pytest.mark.parametrize("ending", get_args(Ending))
def test_what_nobody_asked_for_a_day_is_saved_no_more(endpoint: Endpoint, ending: Ending) -> None:
    """Also through restarts: it may be listed no more."""
    day_s = SPANS_S["1d"]
    endpoint.ends(ending, 9)
    for _ in range(2):
        endpoint.passes(day_s / 3)
        dump = endpoint.book.dump()
        assert list(dump) == [SLUG]
        endpoint.book = HealthBook(endpoint.clock)
        endpoint.book.load(dump, 0.0)
    endpoint.passes(day_s / 2)
    assert not endpoint.book.dump()


def test_a_regression_is_noted_of_any_endpoint_until_it_is_over() -> None:
    book = HealthBook(lambda: 0.0)
    book.regressed = {"groq/x"}
    assert book.summary("groq/x").regressed
    assert not book.summary("groq/y").regressed
    assert book.dump() == {}
    assert book.attempts_at("groq/x") == book.attempts == 0
    book.record("groq/x", EndedAttempt("succeeded", 1.0))
    assert (book.attempts_at("groq/x"), book.attempts_at("groq/y")) == (1, 0)
    assert book.summary("groq/x").regressed
    book.regressed = ()
    assert not book.summary("groq/x").regressed
