"""The options that say what a key may do, and what their texts mean."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias, cast

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
        help="When both limits reset: daily, weekly (on Monday) or monthly, at 00:00 UTC.",
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
KeepOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--keep-transcripts", metavar="DAYS", help="Days for which its transcripts are kept."
    ),
]
LabelsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--label", metavar="TEXT", help="What to group it by, as team=news; may be repeated."
    ),
]


class _Given(NamedTuple):
    """The text of an option, and how it is read."""

    option: str
    text: str | None
    parse: Callable[[str], Any]
    expected: str


def key_fields(
    *,
    limit: str | None,
    limit_minutes: str | None,
    reset: str | None,
    expires: str | None,
    models: list[str] | None,
    rate: str | None,
    recordings: str | None,
    keep_transcripts: str | None,
    labels: list[str] | None,
) -> KeyFields:
    """Return the fields of a key that the options give; `none` removes a limit.

    Raises `UsageError`, which names the option.
    """
    from voxgate.ledger.amounts import read_dollars, read_minutes
    from voxgate.ledger.columns import parse_utc
    from voxgate.ledger.periods import read_reset

    given = {
        "limit_nanodollars": _Given("--limit", limit, read_dollars, "dollars, as 5.00"),
        "limit_samples": _Given("--limit-minutes", limit_minutes, read_minutes, "minutes, as 600"),
        "reset": _Given("--reset", reset, read_reset, "daily, weekly or monthly"),
        "expires_at": _Given("--expires", expires, parse_utc, "a date, as 2027-01-01"),
        "requests_per_minute": _Given("--rate", rate, int, "a whole number"),
        "max_recordings": _Given("--recordings", recordings, int, "a whole number"),
        "keep_transcripts_days": _Given(
            "--keep-transcripts", keep_transcripts, int, "a whole number of days"
        ),
    }
    fields = {
        name: _parsed(each, each.text) for name, each in given.items() if each.text is not None
    }
    if models:
        fields["allowed_models"] = None if models == [NONE] else models
    if labels:
        fields["labels"] = [] if labels == [NONE] else labels
    return cast("KeyFields", fields)


def _parsed(given: _Given, text: str) -> Any:
    if text.strip().lower() == NONE:
        return None
    try:
        return given.parse(text.strip())
    except ValueError:
        raise UsageError(
            f"'{given.option}' is '{text[:100]}', and must be {given.expected}, or 'none' for no "
            f"limit. Correct it."
        ) from None
