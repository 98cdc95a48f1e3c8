"""Rows of activity as JSON and as CSV, for programs and spreadsheets."""

from __future__ import annotations

import csv
from dataclasses import asdict
from datetime import date
from io import StringIO
from typing import TYPE_CHECKING

from voxgate.ledger.amounts import json_dollars
from voxgate.prices import SAMPLES_PER_S
from voxgate.printable import HARMLESS, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from voxgate.histograms import Percentiles
    from voxgate.ledger.activity import ActivityRow
    from voxgate.ledger.activity_query import Grouping

CSV_TYPE = "text/csv; charset=utf-8"

PERCENTILES = ("p50", "p75", "p90", "p99")
SUMS = ("requests", "failures", "audio_seconds", "cost", "tokens")
SPEEDS = ("latency_ms", "real_time_factor")

_SIGNS = "=+-@"
_FULL_WIDTH = 0xFEE0  # from a character of ASCII to the one of East Asian width
FORMULA = (*_SIGNS, *(chr(ord(sign) + _FULL_WIDTH) for sign in _SIGNS))
"""What a cell begins with that a spreadsheet takes for a formula: see OWASP, CSV injection.

Its others, a tab and the ends of lines, are escaped in any case.
"""


def activity_record(
    row: ActivityRow, group_by: Sequence[Grouping], key_names: Mapping[str, str]
) -> dict[str, Any]:
    """Return a row as a JSON object; null is the absence of a key, app or provider.

    `audio_seconds` are those of decoded sound, `cost` is in US dollars. `key_names` has the names
    of keys by their hashes.
    """
    group: dict[str, str | None] = {}
    for name, value in zip(group_by, row.group, strict=True):
        text = value.isoformat() if isinstance(value, date) else value or None
        if name == "key":
            group["api_key_hash"] = text
            group["key"] = key_names.get(text) if text else None
        else:
            group[name] = text
    return {
        **group,
        "requests": row.requests,
        "failures": row.failures,
        "audio_seconds": row.audio_samples / SAMPLES_PER_S,
        "cost": json_dollars(row.nanodollars),
        "tokens": row.tokens,
        "latency_ms": _speeds(row.latency_ms),
        "real_time_factor": _speeds(row.real_time_factor),
    }


def _speeds(found: Percentiles | None) -> dict[str, float] | None:
    """Return percentiles with four digits: they are not more exact than that."""
    if found is None:
        return None
    return {name: float(f"{value:.4g}") for name, value in asdict(found).items()}


def csv_table(records: Iterable[Mapping[str, Any]], group_by: Sequence[Grouping]) -> str:
    """Return records as CSV (RFC 4180) with a header.

    Callers choose the names of their apps. So control characters are escaped as in a table, since a
    terminal would obey them, and a text that a spreadsheet would take for a formula, also behind
    spaces, has an apostrophe before it, which spreadsheets read as the start of a text.
    """
    groups = [
        column
        for name in group_by
        for column in (("api_key_hash", "key") if name == "key" else (name,))
    ]
    text = StringIO()
    writer = csv.writer(text)  # ends lines with CR LF
    writer.writerow([*groups, *SUMS, *(f"{name}_{q}" for name in SPEEDS for q in PERCENTILES)])
    for record in records:
        speeds = [(record[name] or {}).get(q, "") for name in SPEEDS for q in PERCENTILES]
        sums = [record[name] for name in SUMS]
        writer.writerow([*(_harmless(record[name] or "") for name in groups), *sums, *speeds])
    return text.getvalue()


def _harmless(cell: str) -> str:
    text = printable(cell)
    return f"'{text}" if text.lstrip(f" {HARMLESS}").startswith(FORMULA) else text
