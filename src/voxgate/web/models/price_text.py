"""Prices as people read them: always with their unit."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from voxgate.ledger.amounts import dollars_of
from voxgate.prices import SAMPLES_PER_S, UNIT_S

if TYPE_CHECKING:
    from voxgate.prices import Price

HOUR_S = 3600
TOKENS_PER_S = 4
"""Of fluent speech, as where endpoints are chosen by price: `voxgate.routing.candidate`."""

FREE = "free"


def price_text(price: Price | None) -> str:
    """Return a list price with its unit, exactly: `$0.006 per minute`, `$0.20 per hour`."""
    if price is None or price.amount == 0:
        return FREE
    whole, _, decimals = f"{price.amount.normalize():f}".partition(".")
    return f"${whole}.{decimals:0<2} per {price.unit}"


def minimum_text(price: Price | None) -> str:
    """Return the least that is charged of a recording's length."""
    if price is None or not price.minimum_s:
        return "no minimum"
    return f"at least {price.minimum_s.normalize():f} s"


def rounding_text(price: Price | None) -> str:
    """Return how a recording's length is rounded, or what is charged in its place."""
    if price is None or price.amount == 0:
        return "nothing is charged"
    if price.by_token:
        return "by the tokens of the delivered text"
    if price.unit not in UNIT_S:
        return "the same for any length"
    steps = price.increment_s
    return f"rounded up to {steps.normalize():f} s" if steps else "to the sample"


@lru_cache(maxsize=4096)
def hour_dollars(price: Price | None) -> Decimal:
    """Return what a recording of an hour of fluent speech costs: prices of all units compare so."""
    if price is None:
        return Decimal(0)
    return dollars_of(price.nanodollars(HOUR_S * SAMPLES_PER_S, HOUR_S * TOKENS_PER_S))
