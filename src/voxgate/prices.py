"""`Price`: what a transcription costs, exactly; `PriceList`: the operator's prices.

An amount is decimal, a cost is a whole number of nano-dollars, rounded once, half up. Seconds are
those of decoded samples, never those of a header. Tokens are those that the model wrote for the
text that is delivered. Nobody knows before how many that will be, so at most `TOKENS_PER_S` are
charged: what a recording may cost is known by its length, whatever its price is by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import product
from math import ceil, floor
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeGuard, get_args

from voxgate.errors import SettingsError
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NANO_PER_DOLLAR = 10**9
SAMPLES_PER_S = 16_000

TOKENS_PER_S = 20
"""The most tokens that are charged for a second of sound.

No model here writes as many in a full window: a Whisper 448 in 30 s, Voxtral 452. Fluent speech has
three or four a second.
"""

Unit: TypeAlias = Literal["second", "minute", "hour", "request", "token", "million tokens"]
UNIT_S: dict[str, int] = {"second": 1, "minute": 60, "hour": 3600}
UNIT_TOKENS: dict[str, int] = {"token": 1, "million tokens": 10**6}
MAX_AMOUNT = Decimal(1000)  # dollars for one unit: a day by the token fits into 64 bits
MAX_S = 86_400  # of a minimum and an increment

ANY_MODEL = "*"
_SHORT = re.compile(r"(?P<model>\S+)\s*=\s*(?P<amount>[\d.]+)\s*/\s*(?P<unit>[a-z ]+)")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one transcription cost, as callers are told."""

    nanodollars: int = 0
    tokens: int | None = None
    """Those that were delivered, where the price is by the token."""


@dataclass(frozen=True, slots=True)
class Price:
    """`amount` dollars for each `unit`.

    Of prices by time: at least `minimum_s` seconds are charged, and seconds are rounded up to
    multiples of `increment_s`, where it is not 0. Raises `SettingsError` where another has these.
    """

    amount: Decimal
    unit: Unit
    minimum_s: Decimal = Decimal(0)
    increment_s: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if self.unit not in UNIT_S and (self.minimum_s or self.increment_s):
            kind = "request" if self.unit == "request" else "token"
            raise SettingsError(f"a price by the {kind} has neither minimum_s nor increment_s")

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> Price:
        """Return the price with these fields, as `record` has them. Raises `SettingsError`."""
        unit = fields["unit"]
        if not is_unit(unit):
            raise SettingsError(
                f"a price's unit must be one of {', '.join(get_args(Unit))}: {unit!r}"
            )
        return cls(
            _decimal("amount", fields["amount"], MAX_AMOUNT),
            unit,
            _decimal("minimum_s", fields.get("minimum_s", "0"), Decimal(MAX_S)),
            _decimal("increment_s", fields.get("increment_s", "0"), Decimal(MAX_S)),
        )

    @property
    def by_token(self) -> bool:
        """Whether it is one for tokens, which not every model counts."""
        return self.unit in UNIT_TOKENS

    def nanodollars(self, samples: int, tokens: int = 0) -> int:
        """Return the cost of so much decoded sound, in samples at 16 kHz, with so many tokens."""
        return rounded_nanodollars(
            self.usage_dollars(samples, tokens) + self.surcharge_dollars(samples)
        )

    def most_nanodollars(self, samples: int) -> int:
        """Return the most that so much decoded sound can cost: less only by the token."""
        return self.nanodollars(samples, most_tokens(samples))

    def usage_dollars(self, samples: int, tokens: int) -> Fraction:
        """Return what a part of a recording costs by its sound or its tokens, in dollars."""
        if self.by_token:
            quantity = Fraction(min(tokens, most_tokens(samples)), UNIT_TOKENS[self.unit])
        elif self.unit == "request":
            quantity = Fraction(0)
        else:
            quantity = Fraction(samples, SAMPLES_PER_S * UNIT_S[self.unit])
        return Fraction(self.amount) * quantity

    def answer_dollars(self, tokens: int) -> Fraction:
        """Return what so many tokens of an answer cost, in dollars: only by the token anything."""
        if not self.by_token:
            return Fraction(0)
        return Fraction(self.amount) * Fraction(tokens, UNIT_TOKENS[self.unit])

    def surcharge_dollars(self, samples: int) -> Fraction:
        """Return what a recording costs once, in dollars, beside the usage of its parts.

        That is the price of the request or, by time, what a minimum and an increment add to the
        seconds of the sound.
        """
        if self.unit == "request":
            return Fraction(self.amount)
        if self.by_token:
            return Fraction(0)
        more_s = self._charged_s(samples) - Fraction(samples, SAMPLES_PER_S)
        return Fraction(self.amount) * more_s / UNIT_S[self.unit]

    def record(self) -> dict[str, str]:
        """Return the price as the ledger stores it, for `parse`."""
        return {
            "amount": f"{self.amount:f}",
            "unit": self.unit,
            "minimum_s": f"{self.minimum_s:f}",
            "increment_s": f"{self.increment_s:f}",
        }

    def _charged_s(self, samples: int) -> Fraction:
        seconds = max(Fraction(samples, SAMPLES_PER_S), Fraction(self.minimum_s))
        if not self.increment_s:
            return seconds
        increment = Fraction(self.increment_s)
        return ceil(seconds / increment) * increment


def rounded_nanodollars(dollars: Fraction) -> int:
    """Return an amount in whole nano-dollars, half up. Amounts are rounded once, at the end."""
    return floor(dollars * NANO_PER_DOLLAR + Fraction(1, 2))


def most_tokens(samples: int) -> int:
    """Return the most tokens that are charged for so much sound, in samples at 16 kHz."""
    return ceil(Fraction(samples * TOKENS_PER_S, SAMPLES_PER_S))


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """The price of a model from a day on, in UTC; of all models that have none, for `*`.

    It is what callers pay wherever the model runs or, with a `provider`, where that one runs it.
    """

    model: str
    price: Price
    valid_from: date = date.min
    provider: str | None = None  # the name of an upstream, or `local`

    def __str__(self) -> str:
        price = self.price
        details = [
            *([f"at {self.provider}"] if self.provider else []),
            *([f"at least {price.minimum_s:f} s"] if price.minimum_s else []),
            *([f"in steps of {price.increment_s:f} s"] if price.increment_s else []),
            *([f"from {self.valid_from} on"] if self.valid_from > date.min else []),
        ]
        short = f"{self.model} = {price.amount:f}/{price.unit}"
        return f"{short} ({'; '.join(details)})" if details else short


@dataclass(frozen=True, slots=True)
class CurrentPrices:
    """The prices of one moment: the newest that has begun, by model and provider."""

    by_place: Mapping[tuple[str, str | None], ListedPrice]

    def find(self, model: str, provider: str = LOCAL) -> Price | None:
        """Return the price of a model where a provider runs it.

        The price of its own name comes before that of `*`, whatever provider that one is for: `*`
        is for models without a price of their own. Of either, the price at this provider comes
        before the one wherever it runs.
        """
        for place in product((model, ANY_MODEL), (provider, None)):
            if found := self.by_place.get(place):
                return found.price
        return None


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices that the operator set. A model without one costs nothing."""

    entries: tuple[ListedPrice, ...] = ()

    def __str__(self) -> str:
        """The prices as they are written in a variable, with what only a table can say in words."""
        return ", ".join(map(str, self.entries))

    def find(self, model: str, moment: datetime, provider: str = LOCAL) -> Price | None:
        """Return the price of a model at a moment, where a provider runs it.

        `CurrentPrices.find` says which one that is.
        """
        return self.at(moment).find(model, provider)

    def at(self, moment: datetime) -> CurrentPrices:
        """Return the prices of a moment, for many questions: each is one look-up."""
        day = moment.astimezone(UTC).date()
        newest: dict[tuple[str, str | None], ListedPrice] = {}
        for each in self.entries:
            known = newest.get((each.model, each.provider))
            if each.valid_from <= day and (known is None or known.valid_from < each.valid_from):
                newest[each.model, each.provider] = each
        return CurrentPrices(newest)

    def by_own_name(self, own_name: Callable[[str], str]) -> PriceList:
        """Return the prices under the own names of models, which `own_name` returns for any name.

        Raises `SettingsError` for two prices of one model at one provider, or wherever it runs,
        from the same day on, and what `own_name` raises.
        """
        entries, listed = list[ListedPrice](), dict[tuple[str, str | None, date], str]()
        for each in self.entries:
            model = each.model if each.model == ANY_MODEL else own_name(each.model)
            other = listed.setdefault((model, each.provider, each.valid_from), each.model)
            if other != each.model:
                raise SettingsError(
                    f"'prices': {other} and {each.model} are one model, {model}, which has two "
                    f"prices from the same day on. Remove one of them."
                )
            entries.append(replace(each, model=model))
        return PriceList(tuple(entries))

    def under_names(self, other_names: Mapping[str, str]) -> PriceList:
        """Return the prices, also under the other names that some of their models have."""
        more = (
            replace(each, model=other_names[each.model])
            for each in self.entries
            if other_names.get(each.model, each.model) != each.model
        )
        return PriceList((*self.entries, *more))


NO_PRICES = PriceList()


def parse_prices(text: str, origin: str) -> PriceList:
    """Return the prices in a text, `MODEL = AMOUNT/UNIT` with commas between.

    `origin` is the variable that it comes from. Raises `SettingsError`.
    """
    try:
        entries = tuple(_listed(part.strip()) for part in text.split(",") if part.strip())
        models = [each.model for each in entries]
        if twice := next((each for each in models if models.count(each) > 1), None):
            raise SettingsError(f"{twice} has two prices from the same day on")
    except SettingsError as error:
        raise SettingsError(f"{origin}: 'prices': {error.sentence}.") from error
    return PriceList(entries)


def _listed(text: str) -> ListedPrice:
    match = _SHORT.fullmatch(text)
    if match is None:
        raise SettingsError(
            f"a price is written as MODEL = AMOUNT/UNIT, such as openai/whisper-base = "
            f"0.006/minute: {text!r}"
        )
    return ListedPrice(match["model"], Price.parse(match.groupdict()))


def is_unit(value: object) -> TypeGuard[Unit]:
    """Return whether a value is the name of a unit."""
    return value in get_args(Unit)


def _decimal(name: str, value: str, limit: Decimal) -> Decimal:
    """Return the number from 0 to `limit` that a field of a price has. Raises `SettingsError`."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not (number.is_finite() and 0 <= number <= limit):
        raise SettingsError(
            f'a price\'s {name} must be a number from 0 to {limit}, as "0.5": {value!r}'
        )
    return number
