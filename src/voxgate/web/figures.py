"""Figures as people read them: money with its unit, seconds, sizes, dates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from voxgate.ledger.amounts import dollars_text
from voxgate.prices import SAMPLES_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

NOTHING = "-"


def seconds(value: float | None) -> str:
    """Return a duration: 0.41 s, 12.3 s, 4:05 min, 1:30 h."""
    if value is None:
        return NOTHING
    if value < 60:
        return f"{value:.3g} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a percentage of one that is given as such."""
    return NOTHING if value is None else f"{value:.{digits}f} %"


def dollars(value: float | None) -> str:
    """Return US dollars, with as many digits as small amounts need."""
    if value is None:
        return NOTHING
    if value == 0 or abs(value) >= 1:
        return f"${value:,.2f}"
    small = f"{value:.4g}"
    return f"${value:.9f}".rstrip("0") if "e" in small else f"${small}"


def money(nanodollars: int) -> str:
    """Return nanodollars in US dollars, exactly."""
    return dollars_text(nanodollars)


def sound(samples: int) -> str:
    """Return samples at 16 kHz as a duration."""
    return seconds(samples / SAMPLES_PER_S)


def hours(value: float) -> str:
    """Return hours, with as many digits as a few seconds of them need."""
    if abs(value) >= 10:
        return f"{value:,.1f} h"
    return f"{value:.4f}".rstrip("0").rstrip(".") + " h"


def amount(value: float) -> str:
    """Return a number that may be a mean: 1,204, 12.5, 0.033."""
    if value >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def count(value: float | None) -> str:
    """Return a number with its thousands divided."""
    return NOTHING if value is None else f"{value:,.0f}"


def size(value: float | None) -> str:
    """Return bytes in the largest unit of 1000 that leaves a whole part."""
    if value is None:
        return NOTHING
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5:  # else it would be written as 1e+03
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def moment(value: datetime | float | None) -> str:
    """Return a time of UTC, or one in Unix seconds, to the minute."""
    if value is None:
        return NOTHING
    at = value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)
    return at.strftime("%Y-%m-%d %H:%M UTC")


FILTERS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (seconds, percent, dollars, money, sound, hours, amount, count, size, moment)
}
