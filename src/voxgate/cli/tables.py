"""Rows for people and for programs: a table on a terminal, elsewhere the same divided by tabs."""

# ruff: noqa: PLC0415 (rich is imported where there is a terminal for it)

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from voxgate.cli.streams import emit

if TYPE_CHECKING:
    from collections.abc import Sequence


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write the rows to standard output under their headings."""
    if sys.stdout is not None and sys.stdout.isatty():
        _draw(headings, rows)
    else:
        emit("".join("\t".join(row) + "\n" for row in (headings, *rows)))


def _draw(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)
