"""`voxgate usage`: who used what, how fast it was, and what it cost."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli import signals, tables
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_message, write_json, write_output
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from typing import Any

    from voxgate.ledger.activity import ActivityRow
    from voxgate.ledger.activity_query import ActivityQuery

HEADINGS = ("requests", "failed", "sound h", "dollars", "p50 s", "p99 s")


def usage_command(
    by: Annotated[
        str,
        typer.Option(
            metavar="GROUPS",
            help="day, hour, model, key, label, app or provider; several with commas.",
        ),
    ] = "day",
    since: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="The first day, as 2026-11-29. [default: 30 days in all]"),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DAY", help="The last day. [default: today]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV, for spreadsheets.")] = False,
) -> None:
    """List what the server's callers used, from its ledger. Days are those of UTC.

    Hours of decoded sound, dollars, and the latency that 50 and 99 of 100 successes did not exceed.
    A table on a terminal; elsewhere the same columns, divided by tabs. JSON and CSV have more.
    """
    from voxgate.ledger.activity_query import ActivityQuery, read_groupings, read_range
    from voxgate.ledger.activity_record import activity_record, csv_table

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other. Choose one.")
    group_by = read_groupings([name.strip() for name in by.split(",") if name.strip()])
    question = ActivityQuery(*read_range(since, until), group_by=group_by)
    rows, total, names = signals.run_until_signal(_find(question))
    records = [activity_record(row, group_by, names) for row in rows]
    if as_json:
        write_json(records)
    elif as_csv:
        write_output(csv_table(records, group_by))
    elif not rows and tables.are_drawn():
        print_message(f"nothing was used from {question.since} to {question.until}.")
    else:
        lines = [(*_groups(record, group_by), *_sums(record)) for record in records]
        if group_by and len(rows) > 1 and tables.are_drawn():  # elsewhere somebody adds them up
            overall = _sums(activity_record(total, (), {}))
            lines.append(("all", *[""] * (len(group_by) - 1), *overall))
        tables.print_table((*group_by, *HEADINGS), lines)


async def _find(question: ActivityQuery) -> tuple[list[ActivityRow], ActivityRow, dict[str, str]]:
    from voxgate.ledger.address import Address
    from voxgate.ledger.ledger import Ledger

    async with await Ledger.open(Address.of(apply_settings())) as ledger:
        rows, total = await ledger.activity.find_with_total(question)
        names = {key.hash: key.name for key in await ledger.keys.all()}
        return rows, total, names


def _groups(record: dict[str, Any], group_by: tuple[str, ...]) -> list[str]:
    return [record[name] or "none" for name in group_by]


def _sums(record: dict[str, Any]) -> tuple[str, ...]:
    latency = record["latency_ms"] or {}
    return (
        str(record["requests"]),
        str(record["failures"]),
        f"{record['audio_seconds'] / 3600:.2f}",
        f"{record['cost']:.4f}",
        *(f"{latency[q] / 1e3:.2f}" if q in latency else "" for q in ("p50", "p99")),
    )
