"""What a recording costs whose parts several providers recognised, each at its own price.

Each part costs by its own sound or tokens. A minimum, an increment and the price of a request are
charged once, at the price of the provider that recognised most of the recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from voxgate.prices import most_tokens, rounded_nanodollars

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from voxgate.prices import Price


@dataclass(frozen=True, slots=True)
class PricedPart:
    """The part of a recording that one provider recognised, at its price; None: it is free."""

    samples: int
    tokens: int
    price: Price | None


def nanodollars(parts: Sequence[PricedPart]) -> int:
    """Return the cost of a recording, rounded once. No part, or no sound, costs nothing."""
    samples = sum(part.samples for part in parts)
    if not samples:
        return 0
    used = sum(
        (part.price.usage_dollars(part.samples, part.tokens) for part in parts if part.price),
        Fraction(0),
    )
    main = max(parts, key=lambda part: part.samples).price
    return rounded_nanodollars(used + (main.surcharge_dollars(samples) if main else 0))


def most_nanodollars(prices: Collection[Price | None], samples: int) -> int:
    """Return the most that so much sound can cost at these prices, however it is divided."""
    known = [price for price in prices if price]
    if not samples or not known:
        return 0
    if len(known) == 1:
        return known[0].most_nanodollars(samples)
    used = max(price.usage_dollars(samples, most_tokens(samples)) for price in known)
    # The most tokens of each part are rounded up: by less than one.
    more = sum((price.usage_dollars(samples, 1) for price in known if price.by_token), Fraction(0))
    return rounded_nanodollars(
        used + more + max(price.surcharge_dollars(samples) for price in known)
    )
