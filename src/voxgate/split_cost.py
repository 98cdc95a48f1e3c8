"""What a recording costs whose parts several providers recognised, each at its own price.

Each part costs by its own sound or tokens, of which so much sound has so many at most, and an
answer about it by all of its tokens. A minimum, an increment and the price of a request are
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
    answered: int = 0  # tokens of an answer


def nanodollars(parts: Sequence[PricedPart]) -> int:
    """Return the cost of a recording, rounded once. Neither sound nor an answer costs nothing."""
    samples = sum(part.samples for part in parts)
    if not samples and not any(part.answered for part in parts):
        return 0
    used = sum(
        (
            part.price.usage_dollars(part.samples, part.tokens)
            + part.price.answer_dollars(part.answered)
            for part in parts
            if part.price
        ),
        Fraction(0),
    )
    main = max(parts, key=lambda part: part.samples).price
    return rounded_nanodollars(used + (_surcharge_dollars(main, samples) if main else 0))


def most_nanodollars(prices: Collection[Price | None], samples: int, answered: int = 0) -> int:
    """Return the most that so much sound can cost at these prices, however it is divided.

    `answered` are the most tokens of an answer about it.
    """
    known = [price for price in prices if price]
    if not known or not (samples or answered):
        return 0
    if len(known) == 1 and not answered:
        return known[0].most_nanodollars(samples)
    used = max(price.usage_dollars(samples, most_tokens(samples)) for price in known)
    answer = max(price.answer_dollars(answered) for price in known)
    more = Fraction(0)
    if len(known) > 1:  # the most tokens of each part are rounded up: by less than one
        more = sum(
            (price.usage_dollars(samples, 1) for price in known if price.by_token), Fraction(0)
        )
    surcharge = max(_surcharge_dollars(price, samples) for price in known)
    return rounded_nanodollars(used + answer + more + surcharge)


def _surcharge_dollars(price: Price, samples: int) -> Fraction:
    """Return what is charged once: of an answer about no sound, the price of the request alone."""
    return price.surcharge_dollars(samples) if samples or price.unit == "request" else Fraction(0)
