"""Buckets of a model's activity, and its apps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from voxgate.ledger.activity import ActivityRow
from voxgate.ledger.apps import AppFacts
from voxgate.ledger.usage import OTHER_APPS
from voxgate.ledger.usage_hours import UsageHour
from voxgate.web.model_figures.activity_figures import (
    MOST_APPS,
    ActivityBucket,
    app_rows,
    daily_activity,
    hourly_activity,
)

NOW = datetime(2026, 11, 28, 14, 20, tzinfo=UTC)
SECOND = 16_000  # samples


def row(group: date | str, requests: int, samples: int, failures: int = 0) -> ActivityRow:
    return ActivityRow((group,), requests, failures, samples, 0, 0, None, None)


def test_each_hour_is_there_and_the_running_one_is_the_last() -> None:
    hour = NOW.replace(minute=0)
    usage = UsageHour(hour, 3, 1, 60 * SECOND, 0, 0, 2, 0, 1)
    old = UsageHour(hour - timedelta(hours=48), 9, 0, SECOND, 0, 0, 9, 0, 0)
    found = hourly_activity([usage, old], NOW)
    assert len(found.buckets) == 48
    assert found.buckets[0] == ActivityBucket(hour - timedelta(hours=47), 0.0, 0, 0)
    assert found.buckets[-1] == ActivityBucket(hour, 60.0, 2, 1)
    assert (found.by_hour, found.requests, found.failed, found.audio_s) == (True, 3, 1, 60.0)
    assert found.audio_unit == ("min", 60.0)


@pytest.mark.parametrize(("period", "count"), [("30d", 30), ("1y", 365)])
def test_each_day_is_there(period: str, count: int) -> None:
    rows = [row(NOW.date(), 5, 4 * 3600 * SECOND, failures=2)]
    found = daily_activity(rows, NOW.date(), period)  # type: ignore[arg-type]
    assert len(found.buckets) == count
    assert found.buckets[-1] == ActivityBucket(NOW.replace(hour=0, minute=0), 4 * 3600.0, 3, 2)
    assert found.audio_unit == ("h", 3600.0)
    assert not found.by_hour


def test_apps_are_ranked_by_sound() -> None:
    rows = [
        row("", 50, 900 * SECOND),
        row(OTHER_APPS, 50, 900 * SECOND),
        row("busy", 50, SECOND),
        row("long", 1, 60 * SECOND),
        row("https://plain.example", 2, SECOND),
    ]
    facts = {"long": AppFacts("https://long.example/a", ("notes",))}
    found = app_rows(rows, facts)
    assert [each.title for each in found] == ["long", "busy", "https://plain.example"]
    assert (found[0].address, found[0].categories) == ("https://long.example/a", ("notes",))
    assert (found[1].address, found[2].address) == (None, "https://plain.example")
    many = [row(f"app {number}", 1, SECOND) for number in range(MOST_APPS + 5)]
    assert len(app_rows(many, {})) == MOST_APPS


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "//evil",
        "http:",
        "http://[",
    ],
)
def test_an_address_that_is_no_site_is_no_link(address: str) -> None:
    (app,) = app_rows([row("Notes", 1, SECOND)], {"Notes": AppFacts(address, ())})
    assert app.address is None
