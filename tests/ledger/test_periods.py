"""When budgets reset: UTC's days, Mondays, firsts of months."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.ledger.periods import RESETS, Reset, next_period_start, period_start

MOMENTS = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 (hypothesis adds the zone)
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.timezones(),
)


@pytest.mark.parametrize(
    ("reset", "now", "start", "following"),
    [
        ("daily", "2028-02-28T23:59:59", "2028-02-28", "2028-02-29"),
        ("daily", "2028-02-29T00:00:00", "2028-02-29", "2028-03-01"),
        ("weekly", "2026-11-29T12:00:00", "2026-11-23", "2026-11-30"),  # a Sunday
        ("weekly", "2026-11-30T00:00:00", "2026-11-30", "2026-12-07"),
        ("monthly", "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
        ("monthly", "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
    ],
)
def test_periods(reset: Reset, now: str, start: str, following: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert period_start(reset, moment) == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert next_period_start(reset, moment) == datetime.fromisoformat(following).replace(tzinfo=UTC)


def test_a_day_is_that_of_utc() -> None:
    evening = datetime(2026, 11, 29, 22, tzinfo=timezone(timedelta(hours=-5)))
    assert period_start("daily", evening) == datetime(2026, 11, 30, tzinfo=UTC)


@given(MOMENTS, st.sampled_from(RESETS))
def test_periods_follow_each_other_without_gaps(moment: datetime, reset: Reset) -> None:
    start, following = period_start(reset, moment), next_period_start(reset, moment)
    assert start <= moment < following
    assert period_start(reset, start) == start
    assert period_start(reset, following) == following
    assert period_start(reset, following - timedelta(microseconds=1)) == start
