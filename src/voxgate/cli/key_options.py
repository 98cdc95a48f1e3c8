"""The options that say what a key may do, and what their texts mean."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

import typer

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.ledger.key import KeyFields

NONE = "none"  # removes a limit

LimitOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--limit", metavar="DOLLARS", help="US dollars that it may spend, as 5.00."),
]
LimitMinutesOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--limit-minutes", metavar="MINUTES", help="Minutes of sound that it may send."),
]
ResetOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--reset",
        metavar="PERIOD",
        help="When both limits begin anew: daily, weekly (on Monday) or monthly, at 00:00 UTC.",
    ),
]
ExpiresOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--expires",
        metavar="DATE",
        help="From when on it does not work: 2027-01-01 or 2027-01-01T12:00, of UTC.",
    ),
]
ModelsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="NAME", help="A model that it may use; may be repeated."),
]
RateOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--rate", metavar="N", help="Recordings that it may send in a minute."),
]
RecordingsOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--recordings", metavar="N", help="Recordings that it may have under way."),
]


def key_fields(
    *,
    limit: str | None,
    limit_minutes: str | None,
    reset: str | None,
    expires: str | None,
    models: list[str] | None,
    rate: str | None,
    recordings: str | None,
) -> KeyFields:
    """Return the fields of a key that the options give; `none` removes a limit.

    Raises `UsageError`, which names the option.
    """
    from voxgate.ledger.amounts import (  # noqa: PLC0415 (a command imports when it runs)
        MAX_DOLLARS,
        MAX_MINUTES,
        nanodollars_of,
        samples_of,
    )

    texts: dict[str, tuple[str, str | None, Callable[[str], Any], str]] = {
        "limit_nanodollars": (
            *("--limit", limit, lambda text: nanodollars_of(_amount(text, MAX_DOLLARS))),
            "dollars, as 5.00",
        ),
        "limit_samples": (
            *("--limit-minutes", limit_minutes),
            lambda text: samples_of(_amount(text, MAX_MINUTES)),
            "minutes, as 600",
        ),
        "reset": ("--reset", reset, _period, "daily, weekly or monthly"),
        "expires_at": ("--expires", expires, _moment, "a date, as 2027-01-01"),
        "requests_per_minute": ("--rate", rate, int, "a whole number"),
        "max_recordings": ("--recordings", recordings, int, "a whole number"),
    }
    fields = {
        name: _parsed(option, text, parse, expected)
        for name, (option, text, parse, expected) in texts.items()
        if text is not None
    }
    if models:
        fields["allowed_models"] = None if models == [NONE] else models
    return cast("KeyFields", fields)


def _parsed(option: str, text: str, parse: Callable[[str], Any], expected: str) -> Any:
    if text.strip().lower() == NONE:
        return None
    try:
        return parse(text.strip())
    except (ValueError, OverflowError, InvalidOperation):
        raise UsageError(
            f"'{option}' is '{text[:100]}', and must be {expected}, or 'none' for no limit. "
            f"Correct it."
        ) from None


def _amount(text: str, most: int) -> Decimal:
    amount = Decimal(text.removeprefix("$"))
    if not 0 <= amount <= most:  # raises for NaN
        raise ValueError("out of range")
    return amount


def _period(text: str) -> str:
    from voxgate.ledger.periods import RESETS  # noqa: PLC0415 (as above)

    if text not in RESETS:
        raise ValueError("no period")
    return text


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
