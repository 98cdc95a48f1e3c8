"""What several providers recognised is never charged above what was reserved for it."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

from hypothesis import example, given
from hypothesis import strategies as st

from voxgate import split_cost
from voxgate.prices import MAX_AMOUNT, UNIT_S, Price, Unit, most_tokens
from voxgate.split_cost import PricedPart

AMOUNTS = st.decimals(min_value=0, max_value=MAX_AMOUNT, places=6)
SECONDS = st.decimals(min_value=0, max_value=100, places=1)
BY_TIME = st.builds(Price, AMOUNTS, st.sampled_from([*UNIT_S]), SECONDS, SECONDS)
PRICES = st.none() | st.builds(Price, AMOUNTS, st.sampled_from(get_args(Unit))) | BY_TIME
SAMPLES = st.integers(min_value=1, max_value=4_000_000) | st.integers(min_value=1, max_value=2000)
PARTS = st.lists(st.tuples(PRICES, SAMPLES), min_size=1, max_size=4)


@given(PARTS, st.integers(min_value=0, max_value=10**6))
@example([(Price(Decimal(1), "second"), 159_999), (Price(Decimal("0.01"), "token"), 1)], 0)
@example([(Price(Decimal(1), "second"), 1), (Price(Decimal(1), "token"), 159_999)], 0)
@example([(Price(Decimal(1), "token"), 1)] * 4, 0)
@example([(Price(Decimal(1), "minute", Decimal(60)), 2), (Price(Decimal(9), "hour"), 1)], 0)
def test_what_is_reserved_covers_any_division(
    parts: list[tuple[Price | None, int]], later: int
) -> None:
    """Also where the recording, of which all is reserved, ends before its end."""
    heard = [PricedPart(samples, most_tokens(samples) + 1, price) for price, samples in parts]
    samples = sum(part.samples for part in heard)
    prices = [price for price, _ in parts]
    assert split_cost.nanodollars(heard) <= split_cost.most_nanodollars(prices, samples + later)


@given(PRICES, SAMPLES)
def test_one_price_reserves_no_more_than_it_can_cost(price: Price | None, samples: int) -> None:
    most = price.nanodollars(samples, most_tokens(samples)) if price else 0
    assert split_cost.most_nanodollars([price], samples) == most


@given(PARTS, st.integers(min_value=0, max_value=10**6), st.data())
def test_an_answer_is_covered_too_by_whomever_it_is(
    parts: list[tuple[Price | None, int]], answered: int, data: st.DataObject
) -> None:
    writer = data.draw(st.sampled_from([price for price, _ in parts]))
    done = [PricedPart(samples, most_tokens(samples) + 1, price) for price, samples in parts]
    samples = sum(part.samples for part in done)
    prices = [price for price, _ in parts]
    most = split_cost.most_nanodollars(prices, samples, answered)
    assert split_cost.nanodollars([*done, PricedPart(0, 0, writer, answered)]) <= most


def test_an_answer_without_sound_costs_its_tokens_or_its_request() -> None:
    by_token, by_request = Price(Decimal(1), "token"), Price(Decimal(1), "request")
    with_minimum = Price(Decimal(1), "second", Decimal(60))
    for price, dollars in ((by_token, 7), (by_request, 1), (with_minimum, 0), (None, 0)):
        cost = split_cost.nanodollars([PricedPart(0, 0, price, 7)])
        assert cost == split_cost.most_nanodollars([price], 0, 7) == dollars * 10**9


def test_nothing_costs_nothing() -> None:
    assert split_cost.nanodollars([]) == 0
    assert split_cost.nanodollars([PricedPart(0, 0, Price(Decimal(1), "request"))]) == 0
    assert split_cost.most_nanodollars([Price(Decimal(1), "request")], 0) == 0
