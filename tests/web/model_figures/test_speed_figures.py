"""Speeds and effective prices of each day, and the days without any."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from voxgate.histograms import Percentiles
from voxgate.ledger.activity import ActivityRow
from voxgate.web.model_figures.speed_figures import (
    PRICE_DAYS,
    SPEED_DAYS,
    effective_prices,
    speed_figures,
)

LAST = date(2026, 11, 28)
HOUR = 3600 * 16_000  # samples
FAST, SLOW = Percentiles(0.1, 0.2, 0.4, 0.5), Percentiles(1.0, 2.0, 4.0, 5.0)


def row(
    ago: int,
    provider: str,
    samples: int = 0,
    nanodollars: int = 0,
    factor: Percentiles | None = None,
) -> ActivityRow:
    group = (LAST - timedelta(days=ago), provider)
    return ActivityRow(group, 1, 0, samples, 0, nanodollars, None, factor, None)


def test_speed_is_what_so_many_of_a_hundred_requests_kept_to() -> None:
    rows = [row(0, "Local", factor=FAST), row(29, "groq", factor=SLOW)]
    figures = speed_figures(rows, LAST, "p90")
    assert figures.speed.providers == ("Local", "groq")
    assert len(figures.speed.days) == SPEED_DAYS
    assert figures.speed.days[0] == (LAST - timedelta(days=29), (None, 0.25))
    assert figures.speed.days[1][1] == (None, None)
    assert figures.speed.days[-1] == (LAST, (2.5, None))
    assert figures.latency_ms.is_empty
    assert figures.first_text_ms.is_empty
    assert not figures.speed.is_empty


def test_an_effective_price_is_all_that_was_charged_for_all_that_was_delivered() -> None:
    rows = [
        row(0, "groq", samples=HOUR, nanodollars=10**9),
        row(6, "groq", samples=3 * HOUR, nanodollars=10**8),
        row(7, "groq", samples=HOUR, nanodollars=10**12),  # too old
        row(0, "Local", samples=HOUR),
        row(0, "", nanodollars=5),  # failed before it had sound
    ]
    found = effective_prices(rows, LAST)
    assert [each.provider for each in found.totals] == ["Local", "groq"]  # the cheapest first
    assert found.totals[0].dollars_per_audio_hour == 0
    assert found.totals[1].dollars_per_audio_hour == pytest.approx(1.1 / 4)
    assert len(found.daily.days) == PRICE_DAYS
    daily = [values for _, values in found.daily.days]
    assert [daily[0], daily[-1]] == [(None, 0.1 / 3), (0.0, 1.0)]
    assert effective_prices([], LAST).totals == ()
