"""How the figures of an endpoint are told."""

from __future__ import annotations

import pytest

from voxgate.api.endpoint_figures import endpoint_figures
from voxgate.routing.health import HealthBook
from voxgate.routing.tally import EndedAttempt, Ending

SLUG = "local/scripted/one"


def attempt(ending: Ending, seconds: float) -> EndedAttempt:
    return EndedAttempt(ending, seconds, audio_s=30.0)


def test_of_what_was_never_asked_nothing_is_told() -> None:
    names = ("uptime_last_5m", "uptime_last_30m", "uptime_last_1d")
    speeds = ("latency_last_30m", "throughput_last_30m")
    assert endpoint_figures(HealthBook().summary(SLUG)) == dict.fromkeys((*names, *speeds))


def test_figures_have_openrouters_units() -> None:
    now = 0.0
    book = HealthBook(lambda: now)
    for seconds in (2.0, 2.0, 8.0):
        for _ in range(5):
            book.record(SLUG, attempt("succeeded", seconds))
    book.record(SLUG, attempt("failed", 60.0))
    now = 600.0
    figures = endpoint_figures(book.summary(SLUG))
    assert figures["uptime_last_5m"] is None
    assert figures["uptime_last_30m"] == figures["uptime_last_1d"] == 93.75  # 15 of 16
    assert figures["latency_last_30m"] == pytest.approx(
        {"p50": 2000, "p75": 8000, "p90": 8000, "p99": 8000}, rel=0.05
    )
    assert figures["throughput_last_30m"] == pytest.approx(
        {"p50": 15, "p75": 15, "p90": 15, "p99": 15}, rel=0.05
    )
    book.record(SLUG, attempt("failed", 60.0))
    assert endpoint_figures(book.summary(SLUG))["uptime_last_1d"] == 88.23  # of 88.235…
