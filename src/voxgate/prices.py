"""`Price`: what a transcription costs, exactly.

An amount is decimal, a cost is a whole number of nano-dollars, rounded once, half up. Seconds are
those of decoded samples, never those of a header.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeGuard, get_args

from voxgate.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

NANO_PER_DOLLAR = 10**9
SAMPLES_PER_S = 16_000

Unit: TypeAlias = Literal["second", "minute", "hour", "token", "request"]
UNIT_S: dict[str, int] = {"second": 1, "minute": 60, "hour": 3600}
MAX_AMOUNT = Decimal(1000)  # dollars for one unit: a day by the second fits into 64 bits


@dataclass(frozen=True, slots=True)
class Price:
    """`amount` dollars for each `unit`.

    Of prices by time: at least `minimum_s` seconds are charged, and seconds are rounded up to
    multiples of `increment_s`, where it is not 0.
    """

    amount: Decimal
    unit: Unit
    minimum_s: Decimal = Decimal(0)
    increment_s: Decimal = Decimal(0)

    @classmethod
    def parse(cls, amount: object, unit: object, minimum_s: object, increment_s: object) -> Price:
        """Return the price that a settings file gives. Raises `SettingsError`."""
        if not is_unit(unit):
            raise SettingsError(
                f"a price's unit must be one of {', '.join(get_args(Unit))}: {unit!r}"
            )
        price = cls(
            _decimal("amount", amount),
            unit,
            _decimal("minimum_s", minimum_s),
            _decimal("increment_s", increment_s),
        )
        if unit not in UNIT_S and (price.minimum_s or price.increment_s):
            raise SettingsError(
                f"a price by the {unit} has neither minimum_s nor increment_s: both are seconds"
            )
        return price

    def nanodollars(self, samples: int, tokens: int = 0) -> int:
        """Return the cost of so much decoded sound, in samples at 16 kHz, and so many tokens."""
        if self.unit == "request":
            quantity = Fraction(1)
        elif self.unit == "token":
            quantity = Fraction(tokens)
        else:
            quantity = self._charged_s(samples) / UNIT_S[self.unit]
        exact = Fraction(self.amount) * quantity * NANO_PER_DOLLAR
        return floor(exact + Fraction(1, 2))

    def record(self) -> dict[str, str]:
        """Return the price as the ledger stores it."""
        return {
            "amount": str(self.amount),
            "unit": self.unit,
            "minimum_s": str(self.minimum_s),
            "increment_s": str(self.increment_s),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, str]) -> Price:
        """Return the price that `record` gave."""
        return cls.parse(
            record["amount"], record["unit"], record["minimum_s"], record["increment_s"]
        )

    def _charged_s(self, samples: int) -> Fraction:
        seconds = max(Fraction(samples, SAMPLES_PER_S), Fraction(self.minimum_s))
        if not self.increment_s:
            return seconds
        increment = Fraction(self.increment_s)
        return ceil(seconds / increment) * increment


def is_unit(value: object) -> TypeGuard[Unit]:
    """Return whether a value is the name of a unit."""
    return value in get_args(Unit)


def _decimal(name: str, value: object) -> Decimal:
    """Return a number of a settings file: a text, since a float is not exact, or an integer."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not (number.is_finite() and 0 <= number <= MAX_AMOUNT):
        raise SettingsError(
            f'a price\'s {name} must be a number from 0 to {MAX_AMOUNT}, as "0.006": {value!r}'
        )
    return number
