"""Dollars and minutes, as people write them, and as the ledger counts them."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
        ("0.25", 240_000, "15 s"),
        ("0.99999", 959_990, "59.99 s"),
        ("1", 960_000, "1 min"),
        ("12.5", 12_000_000, "12.5 min"),
        ("0.001", 960, "0.06 s"),
        ("0.0001", 96, "0 s"),  # what is left is not overstated
        ("99.999", 95_999_040, "99.99 min"),
        ("1000000000", 960 * 10**12, "1000000000 min"),
    ],
)
def test_minutes(minutes: str, samples: int, text: str) -> None:
    assert samples_of(Decimal(minutes)) == samples
    assert minutes_text(samples) == text


@given(st.integers(0, 10**10), st.integers(1, 10**10))
@example(960_000, 1)
@example(959_999, 1)
@example(0, 1)
def test_what_is_needed_never_reads_as_the_less_that_is_left(left: int, more: int) -> None:
    assert minutes_text(left + more, round_up=True) != minutes_text(left)


@pytest.mark.parametrize(
    ("samples", "text"), [(0, "0 min"), (1, "0.01 s"), (960_001, "1.01 min"), (960_000, "1 min")]
)
def test_what_is_needed_is_rounded_up(samples: int, text: str) -> None:
    assert minutes_text(samples, round_up=True) == text
