"""Figures as people read them. What is not known is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.prices import NANO_PER_DOLLAR

if TYPE_CHECKING:
    from collections.abc import Sequence


def percent(rate: float | None) -> str:
    """Return a rate as `12.3 %`."""
    return "" if rate is None else f"{100 * rate:.1f} %"


def times(speed: float | None) -> str:
    """Return seconds of sound for each second of processing as `16.2 x`."""
    return "" if speed is None else f"{speed:.1f} x"


def dollars(nanodollars: int | None) -> str:
    """Return an amount in dollars, as `voxgate usage` has it: `0.3600`."""
    return "" if nanodollars is None else f"{nanodollars / NANO_PER_DOLLAR:.4f}"


def length(seconds: float) -> str:
    """Return a length of sound as `12.5 s`, `3.4 min` or `1.2 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def short_names(models: Sequence[str]) -> list[str]:
    """Return the names of models without their owners, unless two are the same then."""
    short = [name.rpartition("/")[2] or name for name in models]
    return short if len(set(short)) == len(short) else list(models)
