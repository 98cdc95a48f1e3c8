"""`KeyUsage`: what keys have used, ever and in the periods that run now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, case, cast, func, select, true

from voxgate.ledger.budget import Amount
from voxgate.ledger.columns import utc_now
from voxgate.ledger.periods import RESETS, period_start
from voxgate.ledger.schema import usage_days_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

_DAY = usage_days_table.c
_SUMS = {"nanodollars": _DAY.nanodollars, "samples": _DAY.audio_samples}


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What a key has used: ever, and since the UTC day, week (from Monday) and month began."""

    total: Amount = field(default_factory=Amount)
    daily: Amount = field(default_factory=Amount)
    weekly: Amount = field(default_factory=Amount)
    monthly: Amount = field(default_factory=Amount)


def usage_by_key(
    connection: Connection, hashes: Sequence[str] | None = None
) -> dict[str, KeyUsage]:
    """Return what these keys, or all, have used, by their hashes; "" is work without a key.

    A key that has used nothing is not in it.
    """
    now = utc_now()
    periods: dict[str, ColumnElement[bool]] = {
        "total": true(),
        **{reset: _DAY.day >= period_start(reset, now).date() for reset in RESETS},
    }
    sums = [
        cast(func.sum(case((running, column), else_=0)), BigInteger).label(f"{period}_{name}")
        for period, running in periods.items()
        for name, column in _SUMS.items()
    ]
    query = select(_DAY.key_hash, *sums).group_by(_DAY.key_hash)
    if hashes is not None:
        query = query.where(_DAY.key_hash.in_(hashes))
    rows = connection.execute(query).mappings()
    return {
        row["key_hash"]: KeyUsage(
            **{period: Amount(*(row[f"{period}_{name}"] for name in _SUMS)) for period in periods}
        )
        for row in rows
    }
