"""Costs are exact, and rounded once."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.errors import SettingsError
from voxgate.ledger.prices import MAX_AMOUNT, SAMPLES_PER_S, Price, Unit

DAY = 24 * 3600 * SAMPLES_PER_S
AMOUNTS = st.decimals(min_value=0, max_value=MAX_AMOUNT, places=9)
SAMPLES = st.integers(min_value=0, max_value=DAY)


@pytest.mark.parametrize(
    ("amount", "unit", "samples", "tokens", "nanodollars"),
    [
        ("0.006", "minute", 60 * SAMPLES_PER_S, 0, 6_000_000),
        ("0.003", "minute", SAMPLES_PER_S, 0, 50_000),
        ("0.04", "hour", 3600 * SAMPLES_PER_S, 0, 40_000_000),
        ("0.0001", "second", 1, 0, 6),  # 6.25
        ("0.0001", "second", 2, 0, 13),  # 12.5
        ("0.000002", "token", 10**9, 31, 62_000),
        ("0.01", "request", 0, 0, 10_000_000),
        ("0", "second", DAY, 0, 0),
    ],
)
def test_costs(amount: str, unit: Unit, samples: int, tokens: int, nanodollars: int) -> None:
    assert Price(Decimal(amount), unit).nanodollars(samples, tokens) == nanodollars


def test_a_minimum_and_an_increment() -> None:
    price = Price(Decimal("0.06"), "minute", minimum_s=Decimal(10), increment_s=Decimal("0.5"))
    assert price.nanodollars(0) == price.nanodollars(10 * SAMPLES_PER_S) == 10_000_000
    assert price.nanodollars(10 * SAMPLES_PER_S + 1) == 10_500_000
    assert price.nanodollars(11 * SAMPLES_PER_S) == 11_000_000


@given(AMOUNTS, st.sampled_from(["second", "minute", "hour"]), SAMPLES)
def test_a_cost_is_the_nearest_nanodollar(amount: Decimal, unit: Unit, samples: int) -> None:
    seconds = {"second": 1, "minute": 60, "hour": 3600}[unit]
    exact = Fraction(amount) * samples / SAMPLES_PER_S / seconds * 10**9
    cost = Price(amount, unit).nanodollars(samples)
    assert abs(cost - exact) <= Fraction(1, 2)
    assert cost < 2**63


@given(AMOUNTS, st.sampled_from(["second", "minute", "hour", "request"]), SAMPLES, SAMPLES)
def test_more_sound_never_costs_less(amount: Decimal, unit: Unit, one: int, other: int) -> None:
    price = Price(amount, unit)
    less, more = sorted((one, other))
    assert price.nanodollars(less) <= price.nanodollars(more)


@given(AMOUNTS, st.integers(0, 100), st.integers(0, 60), SAMPLES)
def test_a_record_gives_the_same_price(
    amount: Decimal, minimum_s: int, increment_s: int, samples: int
) -> None:
    price = Price(amount, "second", Decimal(minimum_s), Decimal(increment_s))
    again = Price.from_record(price.record())
    assert again == price
    assert again.nanodollars(samples) == price.nanodollars(samples)


@pytest.mark.parametrize(
    ("amount", "unit", "minimum_s", "message"),
    [
        ("free", "minute", 0, "amount must be a number"),
        ("-1", "minute", 0, "amount must be a number"),
        ("NaN", "minute", 0, "amount must be a number"),
        ("1e999", "minute", 0, "amount must be a number"),
        ("1001", "minute", 0, "amount must be a number"),
        ("1", "fortnight", 0, "unit must be one of second, minute, hour, token, request"),
        ("1", ["minute"], 0, "unit must be one of"),
        ("1", "minute", "soon", "minimum_s must be a number"),
        ("1", "request", 1, "neither minimum_s nor increment_s"),
    ],
)
def test_malformed_prices(amount: str, unit: object, minimum_s: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Price.parse(amount, unit, minimum_s, 0)
