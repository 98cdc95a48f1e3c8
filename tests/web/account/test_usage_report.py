"""Days and months of usage, from rows of the ledger."""

from __future__ import annotations

from datetime import date

import pytest

from voxgate.ledger.activity import ActivityRow
from voxgate.web.account.usage_report import UsageReport, usage_report

HOUR = 16_000 * 3600


def row(day: str, model: str, nanodollars: int, samples: int = HOUR) -> ActivityRow:
    group = (date.fromisoformat(day), model)
    return ActivityRow(group, 2, 1, samples, 0, nanodollars, None, None)


ROWS = [
    row("2026-01-15", "a", 1),
    row("2026-01-31", "a", 10**9),
    row("2026-02-01", "b", 3 * 10**9),
    row("2026-06-20", "", 0, HOUR // 2),
]


def report(since: str, until: str) -> UsageReport:
    days = date.fromisoformat(since), date.fromisoformat(until)
    return usage_report(
        [each for each in ROWS if days[0] <= each.group[0] <= days[1]],  # type: ignore[operator]  # a day
        days,
        date(2026, 6, 20),
        metric="spend",
        names={"": "no model"},
        sort="sum",
        descending=True,
    )


@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [
        ("2026-01-15", "2026-06-20", "days 15 to 31", "days 1 to 20"),
        ("2026-01-01", "2026-06-30", "", ""),
        ("2026-01-02", "2026-05-30", "days 2 to 31", "days 1 to 30"),
        ("2025-12-31", "2026-05-31", "days 31 to 31", ""),
    ],
)
def test_a_month_that_the_range_cuts_says_which_days_are_meant(
    since: str, until: str, first: str, last: str
) -> None:
    found = report(since, until)
    assert found.bucket == "month"
    assert (found.rows[0][3], found.rows[-1][3]) == (first, last)
    assert [days for *_, days in found.rows[1:-1]] == [""] * (len(found.rows) - 2)


def test_the_sums_are_those_of_the_rows() -> None:
    found = report("2026-01-15", "2026-06-20")
    assert {card.metric: card.total for card in found.cards} == {
        "spend": 4.000000001,
        "audio": 3.5,
        "requests": 8,
    }
    assert [(group.name, group.sum) for group in found.groups] == [
        ("b", 3.0),
        ("a", 1.000000001),
        ("no model", 0.0),
    ]
    assert found.rows[0][:2] == (date(2026, 1, 1), (0.0, 1.000000001, 0.0))
    assert [begin for begin, _, running, _ in found.rows if running] == [date(2026, 6, 1)]


def test_days_are_whole() -> None:
    found = report("2026-01-15", "2026-02-01")
    assert found.bucket == "day"
    assert {days for *_, days in found.rows} == {""}
