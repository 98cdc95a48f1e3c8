"""Tables: drawn on a terminal, divided by tabs elsewhere."""

# ruff: noqa: PLC0415 (rich is imported for terminals only)

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from voxgate.cli.streams import write_output

if TYPE_CHECKING:
    from collections.abc import Sequence


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write the rows to standard output under their headings."""
    if sys.stdout is not None and sys.stdout.isatty():
        _draw(headings, rows)
    else:
        write_output("".join("\t".join(row) + "\n" for row in (headings, *rows)))


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
