"""Prices in words: exact, with their unit, and comparable."""

from __future__ import annotations

from decimal import Decimal

import pytest

from voxgate.prices import Price
from voxgate.web.models.price_text import hour_dollars, minimum_text, price_text, rounding_text


@pytest.mark.parametrize(
    ("price", "told"),
    [
        (None, ("free", "no minimum", "nothing is charged")),
        (Price(Decimal("0.0"), "hour"), ("free", "no minimum", "nothing is charged")),
        (Price(Decimal("0.0060"), "minute"), ("$0.006 per minute", "no minimum", "to the sample")),
        (
            Price(Decimal(100), "hour", minimum_s=Decimal(10), increment_s=Decimal("0.50")),
            ("$100.00 per hour", "at least 10 s", "rounded up to 0.5 s"),
        ),
        (
            Price(Decimal(2), "request"),
            ("$2.00 per request", "no minimum", "the same for any length"),
        ),
        (
            Price(Decimal("1.25"), "million tokens"),
            ("$1.25 per million tokens", "no minimum", "by the tokens of the delivered text"),
        ),
    ],
)
def test_words(price: Price | None, told: tuple[str, str, str]) -> None:
    assert (price_text(price), minimum_text(price), rounding_text(price)) == told


@pytest.mark.parametrize(
    ("price", "dollars"),
    [
        (None, "0"),
        (Price(Decimal("0.003"), "minute"), "0.18"),
        (Price(Decimal(1), "request"), "1"),
        (Price(Decimal(10), "million tokens"), "0.144"),  # four tokens a second
    ],
)
def test_an_hour_of_speech_compares_prices(price: Price | None, dollars: str) -> None:
    assert hour_dollars(price) == Decimal(dollars)
