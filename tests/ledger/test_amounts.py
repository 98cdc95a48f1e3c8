"""Dollars and minutes, as people write them, and as the ledger counts them."""

from decimal import Decimal

import pytest

from voxgate.ledger.amounts import (
    dollars_of,
    dollars_text,
    json_dollars,
    minutes_text,
    nanodollars_of,
    samples_of,
)


@pytest.mark.parametrize(
    ("dollars", "nanodollars", "text"),
    [
        ("0", 0, "$0.00"),
        ("5", 5_000_000_000, "$5.00"),
        ("0.1", 100_000_000, "$0.10"),
        ("0.000125", 125_000, "$0.000125"),
        ("0.0000000005", 1, "$0.000000001"),
        ("0.0000000004", 0, "$0.00"),
        ("1000000000", 10**18, "$1000000000.00"),
    ],
)
def test_dollars(dollars: str, nanodollars: int, text: str) -> None:
    assert nanodollars_of(Decimal(dollars)) == nanodollars
    assert dollars_text(nanodollars) == text
    assert nanodollars_of(dollars_of(nanodollars)) == nanodollars
    assert json_dollars(nanodollars) == nanodollars / 10**9


@pytest.mark.parametrize(
    ("minutes", "samples", "text"),
    [
        ("0", 0, "0 min"),
        ("600", 576_000_000, "600 min"),
        ("0.25", 240_000, "0.25 min"),
        ("12.5", 12_000_000, "12.5 min"),
        ("0.001", 960, "0 min"),  # what is left is not overstated
        ("99.999", 95_999_040, "99.99 min"),
        ("1000000000", 960 * 10**12, "1000000000 min"),
    ],
)
def test_minutes(minutes: str, samples: int, text: str) -> None:
    assert samples_of(Decimal(minutes)) == samples
    assert minutes_text(samples) == text
