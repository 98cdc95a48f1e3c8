"""The periods of budgets: from 00:00 UTC of a day, of a Monday, or of the first of a month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

Reset: TypeAlias = Literal["daily", "weekly", "monthly"]

RESETS: tuple[Reset, ...] = ("daily", "weekly", "monthly")


def read_reset(text: str) -> Reset:
    """Return the period of this name. Raises `ValueError`."""
    for reset in RESETS:
        if reset == text:
            return reset
    raise ValueError("no period")


def period_start(reset: Reset, now: datetime) -> datetime:
    """Return when the period began in which `now` is."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if reset == "weekly":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if reset == "monthly" else day


def next_period_start(reset: Reset, now: datetime) -> datetime:
    """Return when the period after that of `now` begins."""
    start = period_start(reset, now)
    if reset == "monthly":
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=7 if reset == "weekly" else 1)
