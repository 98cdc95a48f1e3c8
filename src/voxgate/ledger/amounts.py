"""Dollars and minutes, as people write them, and nanodollars and samples, as the ledger counts."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal, InvalidOperation

from voxgate.prices import NANO_PER_DOLLAR, SAMPLES_PER_S

SAMPLES_PER_MINUTE = 60 * SAMPLES_PER_S
MAX_DOLLARS = MAX_MINUTES = 10**9  # the counts stay far below 64 bits


def nanodollars_of(dollars: Decimal) -> int:
    """Return an amount of money as the ledger counts it, rounded half up."""
    return int((dollars * NANO_PER_DOLLAR).to_integral_value(ROUND_HALF_UP))


def dollars_of(nanodollars: int) -> Decimal:
    """Return an amount of money in dollars, exactly."""
    return Decimal(nanodollars) / NANO_PER_DOLLAR


def json_dollars(nanodollars: int) -> float:
    """Return an amount of money in dollars, as JSON and metrics have it: the nearest float."""
    return float(dollars_of(nanodollars))


def samples_of(minutes: Decimal) -> int:
    """Return a length of sound as the ledger counts it, rounded half up."""
    return int((minutes * SAMPLES_PER_MINUTE).to_integral_value(ROUND_HALF_UP))


def read_dollars(text: str) -> int:
    """Return an amount of money that a person wrote, as `5.00` or `$5`, in nanodollars.

    Raises `ValueError`, also for one below zero or above `MAX_DOLLARS`.
    """
    return nanodollars_of(_amount(text.removeprefix("$"), MAX_DOLLARS))


def read_minutes(text: str) -> int:
    """Return a length of sound that a person wrote in minutes, in samples. Raises as above."""
    return samples_of(_amount(text, MAX_MINUTES))


def dollars_text(nanodollars: int) -> str:
    """Return an amount of money exactly, with two decimals or more: `$5.00`, `$0.000125`."""
    whole, _, decimals = f"{dollars_of(nanodollars):.9f}".partition(".")
    return f"${whole}.{decimals.rstrip('0'):0<2}"


def minutes_text(samples: int, *, round_up: bool = False) -> str:
    """Return a length of sound to hundredths of a minute, below one minute of a second.

    `12.5 min`, `15 s`. It is rounded down, as what is left must be. Round up what is needed: where
    that is more, the two never read alike.
    """
    below_a_minute = 0 < samples < SAMPLES_PER_MINUTE
    unit, length = ("s", SAMPLES_PER_S) if below_a_minute else ("min", SAMPLES_PER_MINUTE)
    rounding = ROUND_UP if round_up else ROUND_DOWN
    number = f"{(Decimal(samples) / length).quantize(Decimal('0.01'), rounding):f}"
    return f"{number.rstrip('0').rstrip('.')} {unit}"


def _amount(text: str, most: int) -> Decimal:
    try:
        amount = Decimal(text)
        if 0 <= amount <= most:  # raises for NaN
            return amount
    except InvalidOperation as error:
        raise ValueError("no number") from error
    raise ValueError("out of range")
