"""`ActivityQuery`: which generations are summed, by what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Grouping: TypeAlias = Literal["day", "hour", "model", "key", "label", "app", "provider"]

Group: TypeAlias = tuple["date | str", ...]
"""The values of one row, in the order of `ActivityQuery.group_by`; a key is its hash.

A key with several labels counts under each of them, and once in the sum of all rows.
"""

DEFAULT_DAYS = 30
"""How many days are summed where nobody says how many, the last one included."""

LAST_DAY = date(2999, 12, 31)
"""The end of any range: later ones would leave the calendar."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ActivityQuery:
    """Which generations are summed, by what. Both days are included, and are those of UTC.

    A filter of None takes all; "" takes those without a key, app or provider.
    """

    since: date
    until: date
    group_by: tuple[Grouping, ...] = ()
    key_hash: str | None = None
    model: str | None = None
    provider: str | None = None
    app: str | None = None

    @property
    def filters(self) -> dict[str, str]:
        """The filters that there are, by column."""
        given = {
            "key_hash": self.key_hash,
            "model": self.model,
            "provider": self.provider,
            "app": self.app,
        }
        return {name: value for name, value in given.items() if value is not None}


def today() -> date:
    """Return the day that it is in UTC."""
    return datetime.now(UTC).date()


def read_range(since: str | None, until: str | None) -> tuple[date, date]:
    """Return the range from one day to another, by default the last `DEFAULT_DAYS`.

    Raises `UsageError` for a malformed day, and for an end before the start.
    """
    last = read_day("until", until) if until else today()
    first = read_day("since", since) if since else last - timedelta(days=DEFAULT_DAYS - 1)
    if first > last:
        raise UsageError(f"'since' is {first}, which is after 'until', {last}. Swap them.")
    return first, last


def read_day(name: str, text: str) -> date:
    """Return the day in a text such as `2026-11-29`. Raises `UsageError`."""
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not date(1000, 1, 1) <= day <= LAST_DAY:
        raise UsageError(f"'{name}' must be a day as 2026-11-29, not '{text[:100]}'.")
    return day


def read_groupings(names: Sequence[str]) -> tuple[Grouping, ...]:
    """Return the groupings of these names, each once. Raises `UsageError`."""
    known = {name: name for name in get_args(Grouping)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"Activity is grouped by {', '.join(known)}, not by '{unknown[0][:100]}'.")
    return tuple(dict.fromkeys(known[name] for name in names))
