"""Costs are exact, and rounded once."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.errors import SettingsError
from voxgate.prices import (
    MAX_AMOUNT,
    SAMPLES_PER_S,
    UNIT_TOKENS,
    ListedPrice,
    Price,
    PriceList,
    Unit,
    most_tokens,
    parse_prices,
)

NOW = datetime(2026, 11, 29, tzinfo=UTC)
DAY = 24 * 3600 * SAMPLES_PER_S
AMOUNTS = st.decimals(min_value=0, max_value=MAX_AMOUNT, places=9)
SAMPLES = st.integers(min_value=0, max_value=DAY)
TOKENS = st.integers(min_value=0, max_value=2**40)
UNITS = st.sampled_from(get_args(Unit))


@pytest.mark.parametrize(
    ("amount", "unit", "samples", "nanodollars"),
    [
        ("0.006", "minute", 60 * SAMPLES_PER_S, 6_000_000),
        ("0.003", "minute", SAMPLES_PER_S, 50_000),
        ("0.04", "hour", 3600 * SAMPLES_PER_S, 40_000_000),
        ("0.0001", "second", 1, 6),  # 6.25
        ("0.0001", "second", 2, 13),  # 12.5
        ("0.01", "request", 0, 10_000_000),
        ("0", "second", DAY, 0),
        ("0.000002", "token", SAMPLES_PER_S, 24_000),  # 12 tokens
        ("2.00", "million tokens", SAMPLES_PER_S, 24_000),
        ("0.0001", "million tokens", SAMPLES_PER_S, 1),  # 1.2
        ("2.00", "million tokens", SAMPLES_PER_S // 2, 20_000),  # of 12, 20 a second
        ("2.00", "million tokens", 0, 0),
    ],
)
def test_costs(amount: str, unit: Unit, samples: int, nanodollars: int) -> None:
    assert Price(Decimal(amount), unit).nanodollars(samples, tokens=12) == nanodollars


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


@given(AMOUNTS, st.sampled_from(list(UNIT_TOKENS)), SAMPLES, TOKENS)
def test_a_cost_by_the_token_is_the_nearest_nanodollar(
    amount: Decimal, unit: Unit, samples: int, tokens: int
) -> None:
    charged = min(tokens, most_tokens(samples))
    exact = Fraction(amount) * charged / UNIT_TOKENS[unit] * 10**9
    cost = Price(amount, unit).nanodollars(samples, tokens)
    assert abs(cost - exact) <= Fraction(1, 2)
    assert cost < 2**63


@given(AMOUNTS, UNITS, SAMPLES, SAMPLES, TOKENS)
def test_more_sound_never_costs_less(
    amount: Decimal, unit: Unit, one: int, other: int, tokens: int
) -> None:
    price = Price(amount, unit)
    less, more = sorted((one, other))
    assert price.nanodollars(less, tokens) <= price.nanodollars(more, tokens)
    assert price.most_nanodollars(less) <= price.most_nanodollars(more)


@given(AMOUNTS, UNITS, SAMPLES, SAMPLES, TOKENS)
def test_what_may_be_charged_is_known_before_a_model_has_written(
    amount: Decimal, unit: Unit, whole: int, delivered: int, tokens: int
) -> None:
    """What is reserved is enough, for a part of the sound as well, however much is written."""
    price = Price(amount, unit)
    part = min(whole, delivered)
    assert price.nanodollars(part, tokens) <= price.most_nanodollars(whole)
    if not price.by_token:
        assert price.nanodollars(whole, tokens) == price.most_nanodollars(whole)


@given(AMOUNTS, st.integers(0, 100), st.integers(0, 60), SAMPLES)
def test_a_record_gives_the_same_price(
    amount: Decimal, minimum_s: int, increment_s: int, samples: int
) -> None:
    price = Price(amount, "second", Decimal(minimum_s), Decimal(increment_s))
    again = Price.parse(price.record())
    assert again == price
    by_token = Price(amount, "million tokens")
    assert Price.parse(by_token.record()) == by_token
    assert again.nanodollars(samples) == price.nanodollars(samples)


ANY = ListedPrice("*", Price(Decimal("0.001"), "minute"))
NOW_ONE = ListedPrice("a/b", Price(Decimal(1), "hour"))
LATER_TWO = ListedPrice("a/b", Price(Decimal(2), "hour"), date(2027, 1, 1))


@pytest.mark.parametrize(
    ("model", "day", "amount"),
    [
        ("a/b", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "1"),
        ("a/b", datetime(2027, 1, 1, tzinfo=UTC), "2"),
        ("a/b", datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "1"),
        ("c/d", datetime(2027, 1, 1, tzinfo=UTC), "0.001"),
    ],
)
def test_the_price_of_a_model_on_a_day(model: str, day: datetime, amount: str) -> None:
    price = PriceList((ANY, NOW_ONE, LATER_TWO)).find(model, day)
    assert price
    assert price.amount == Decimal(amount)


LISTED = st.lists(
    st.builds(
        ListedPrice,
        st.sampled_from(["a/b", "c/d", "*"]),
        st.builds(Price, st.integers(0, 9).map(Decimal), st.just("hour")),
        st.sampled_from([date.min, date(2026, 1, 1), date(2027, 1, 1), date(2028, 1, 1)]),
        st.sampled_from([None, "local", "groq", "openai"]),
    ),
    unique_by=lambda each: (each.model, each.provider, each.valid_from),
)
PLACES = st.sampled_from(["local", "groq", "mistral"])
DAYS = st.integers(0, 1500).map(lambda days: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days))


@given(LISTED, st.sampled_from(["a/b", "e/f"]), DAYS, PLACES, st.randoms())
def test_the_nearest_price_is_found(
    entries: list[ListedPrice], model: str, day: datetime, place: str, random: Random
) -> None:
    """By the model, then by the provider, then by the day; the order in the file says nothing."""
    fit = [
        each
        for each in entries
        if each.model in {model, "*"}
        and each.provider in {place, None}
        and each.valid_from <= day.date()
    ]
    fit.sort(key=lambda each: (each.model == model, each.provider == place, each.valid_from))
    random.shuffle(entries)
    assert PriceList(tuple(entries)).find(model, day, place) == (fit[-1].price if fit else None)


@given(LISTED, DAYS, PLACES)
def test_prices_elsewhere_change_nothing_here(
    entries: list[ListedPrice], day: datetime, place: str
) -> None:
    here = tuple(each for each in entries if each.provider in {place, None})
    price = PriceList(tuple(entries)).find("a/b", day, place)
    assert price == PriceList(here).find("a/b", day, place)
    anywhere = PriceList(tuple(each for each in entries if each.provider is None))
    if not any(each.provider == place for each in entries):  # the model's price, wherever it runs
        assert price == anywhere.find("a/b", day)


def test_a_price_at_a_provider_is_shown_with_it() -> None:
    prices = PriceList((NOW_ONE, replace(NOW_ONE, provider="groq"), replace(ANY, provider="groq")))
    assert str(prices) == "a/b = 1/hour, a/b = 1/hour (at groq), * = 0.001/minute (at groq)"
    assert prices.by_own_name(str) == prices  # one model may have a price at each provider
    assert prices.find("c/d", NOW) is None
    assert prices.find("c/d", NOW, "groq") == ANY.price


def test_a_model_without_a_price() -> None:
    assert parse_prices("a/b = 0.006/minute", "VOXGATE_PRICES").find("c/d", NOW) is None
    assert parse_prices("", "VOXGATE_PRICES").entries == ()
    trailing = parse_prices("a/b = 0.006/minute, ", "VOXGATE_PRICES")
    assert trailing == parse_prices("a/b = 0.006/minute", "VOXGATE_PRICES")


def test_prices_in_a_variable() -> None:
    text = " a/b = 0.006/minute , *=1/request, e/f = 2.00 / million tokens"
    prices = parse_prices(text, "VOXGATE_PRICES")
    assert prices.find("e/f", NOW) == Price(Decimal(2), "million tokens")
    assert parse_prices(str(prices), "VOXGATE_PRICES") == prices
    assert prices.find("a/b", NOW) == Price(Decimal("0.006"), "minute")
    assert prices.find("c/d", NOW) == Price(Decimal(1), "request")


OWN_NAMES = {"a/b": "a/b", "alias": "a/b", "c": "c"}


def test_the_price_of_an_alias_is_that_of_its_model() -> None:
    entries = (replace(NOW_ONE, model="alias"), ANY, LATER_TWO)
    prices = PriceList(entries).by_own_name(OWN_NAMES.__getitem__)
    amounts = [
        price.amount
        for model in ("a/b", "c")
        for day in (NOW, NOW + timedelta(days=365))
        if (price := prices.find(model, day))
    ]
    assert amounts == [Decimal(1), Decimal(2), Decimal("0.001"), Decimal("0.001")]


def test_two_prices_of_one_model_by_two_names() -> None:
    prices = parse_prices("a/b = 1/hour, c = 1/hour, alias = 2/hour", "VOXGATE_PRICES")
    with pytest.raises(SettingsError, match="a/b and alias are one model, a/b, which has two"):
        prices.by_own_name(OWN_NAMES.__getitem__)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amount": "free"}, "amount must be a number from 0 to 1000"),
        ({"amount": "-1"}, "amount must be a number"),
        ({"amount": "nan"}, "amount must be a number"),
        ({"amount": "1e999"}, "amount must be a number"),
        ({"amount": "1000.1"}, "amount must be a number"),
        ({"unit": "fortnight"}, "unit must be one of second, minute, hour, request, token"),
        ({"minimum_s": "soon"}, "minimum_s must be a number"),
        ({"unit": "request", "minimum_s": "1"}, "neither minimum_s nor increment_s"),
        ({"unit": "token", "increment_s": "1"}, "token has neither minimum_s nor increment_s"),
    ],
)
def test_malformed_prices(change: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Price.parse({"amount": "1", "unit": "minute"} | change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a/b = 1001/minute", "amount must be a number from 0 to 1000"),
        ("a/b = 1/fortnight", "unit must be one of second, minute, hour, request, token"),
        ("* = 1/hour, a = 1/hour, * = 2/hour", r"\* has two prices from the same day on"),
    ],
)
def test_the_variable_of_a_malformed_price_is_named(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=rf"^VOXGATE_PRICES: 'prices': .*{message}.*\.$"):
        parse_prices(text, "VOXGATE_PRICES")


@pytest.mark.parametrize("text", ["0.006", "a/b = 0.006", "a/b = cheap/minute", "a/b: 1/minute"])
def test_malformed_texts(text: str) -> None:
    with pytest.raises(SettingsError, match="MODEL = AMOUNT/UNIT"):
        parse_prices(text, "VOXGATE_PRICES")
