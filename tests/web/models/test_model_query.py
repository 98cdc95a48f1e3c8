"""Which models a list shows, in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from voxgate.errors import UsageError
from voxgate.models.catalogue import BUILT_IN_MODELS, DEFAULT_MODEL, UNKNOWN_DATE
from voxgate.prices import Price
from voxgate.web.models.endpoint_rows import EndpointRow
from voxgate.web.models.model_query import ModelQuery
from voxgate.web.models.model_rows import ModelRow

HOUR = Price(Decimal("0.36"), "hour")
MINUTE = Price(Decimal("0.003"), "minute")
MILLION = Price(Decimal(10), "million tokens")


def row(name: str, *endpoints: EndpointRow, released: date = UNKNOWN_DATE) -> ModelRow:
    spec = replace(BUILT_IN_MODELS[DEFAULT_MODEL], name=name, title=name, released=released)
    return ModelRow(spec, endpoints, None)


def at(
    provider: str, price: Price | None = None, speed: float | None = None, wer: float | None = None
) -> EndpointRow:
    return EndpointRow(f"{provider}/x", provider, price, None, None, speed, None, wer, False)


ROWS = [
    row("a/old", at("local", None, 9.0, 0.2), released=date(2022, 1, 1)),
    row("a/new", at("groq", HOUR, 90.0), at("far", MINUTE, 8.0, 0.1), released=date(2026, 1, 1)),
    row("a/tokens", at("far", MILLION, None, 0.05)),
    row("a/nobody"),
]


def found(**fields: str) -> list[str]:
    query = ModelQuery.parse(fields)
    return [each.spec.name.removeprefix("a/") for each in query.select(ROWS).rows]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["new", "old", "nobody", "tokens"]),
        ("price", ["old", "tokens", "new", "nobody"]),  # $0, 14 400 tokens, $0.18 an hour
        ("speed", ["new", "old", "nobody", "tokens"]),
        ("wer", ["tokens", "new", "old", "nobody"]),
        ("name", ["new", "nobody", "old", "tokens"]),
    ],
)
def test_orders(sort: str, expected: list[str]) -> None:
    assert found(sort=sort) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"q": "A/N"}, ["new", "nobody"]),
        ({"q": "new a"}, ["new"]),
        ({"q": "whisper-1"}, ["new", "old", "nobody", "tokens"]),  # an alias of all of them
        ({"where": "here"}, ["old"]),
        ({"where": "installed"}, []),
        ({"where": "elsewhere"}, ["new", "tokens"]),
        ({"where": "at:groq"}, ["new"]),
        ({"most": "0"}, ["old"]),
        ({"most": "0.18"}, ["new", "old", "tokens"]),
        ({"most": "0.17"}, ["old", "tokens"]),
        ({"language": "de"}, ["new", "old", "nobody", "tokens"]),
        ({"language": "tlh"}, []),
    ],
)
def test_filters(fields: dict[str, str], expected: list[str]) -> None:
    assert found(**fields) == expected


def test_the_lowest_price_is_that_of_an_hour_of_speech() -> None:
    assert [each.price_text for each in ROWS] == [
        "free",
        "from $0.003 per minute",
        "$10.00 per million tokens",
        "",
    ]


def test_an_address_has_what_differs_from_the_default() -> None:
    assert ModelQuery().on_page(1) == "/"
    assert ModelQuery.parse({"most": "1e2"}).on_page(1) == "/?most=100"
    query = ModelQuery.parse({"q": "a b", "sort": "price", "most": "0.5", "where": "at:x&y"})
    assert query.on_page(2) == "/?q=a+b&where=at%3Ax%26y&most=0.5&sort=price&page=2"


@pytest.mark.parametrize(
    "fields",
    [
        {"page": "00000199" + "9" * 5000},
        {"page": "1" + "0" * 9},
        {"page": "0"},
        {"page": "\u0663"},  # a digit of another script
        {"most": "1e-5000000"},
        {"most": "1e5000000"},
        {"most": "0." + "1" * 5000},
        {"most": "NaN"},
    ],
)
def test_a_number_that_is_out_of_all_bounds_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        ModelQuery.parse(fields)


@pytest.mark.parametrize("zero", ["-0", "0e-5000000", "0." + "0" * 5000])
def test_nothing_is_shown_as_one_digit(zero: str) -> None:
    assert ModelQuery.parse({"most": zero}).most_text == "0"
