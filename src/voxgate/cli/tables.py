"""Tables: drawn on a terminal without a broken word, divided by tabs elsewhere."""

# ruff: noqa: PLC0415 (rich is imported for terminals only)

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from io import StringIO
from itertools import starmap
from typing import TYPE_CHECKING

from voxgate.cli.streams import write_output
from voxgate.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

HASH = re.compile(r"(?<!\S)([0-9a-f]{12})[0-9a-f]{20,}(?!\S)")  # a whole word: not in a path
COLUMN_FRAME, TABLE_FRAME = 3, 1  # the space around a column and a table, in characters
GAP = "  "  # between a heading and its value


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write the rows to standard output under their headings.

    Control characters, tabs and line breaks of a cell are escaped: callers choose the names of
    their apps, and a terminal would obey them.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    if are_drawn():
        write_output(draw_table(headings, cells, shutil.get_terminal_size().columns))
    else:
        write_output("".join("\t".join(row) + "\n" for row in (headings, *cells)))


def are_drawn() -> bool:
    """Return whether standard output is a terminal, for people. Programs read it elsewhere."""
    return sys.stdout is not None and sys.stdout.isatty()


def draw_table(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """Return a table of at most `width` columns, or a list for each row where words do not fit.

    Hashes are cut to 12 digits. A word is broken nowhere.
    """
    cells = [[HASH.sub(r"\1", cell) for cell in row] for row in rows]
    texts = [list(column) for column in zip(headings, *cells, strict=True)]
    spare = width - TABLE_FRAME - sum(COLUMN_FRAME + _longest_word(each) for each in texts)
    if spare >= 0:
        return _draw_grid(headings, cells, _column_widths(texts, spare), width)
    if not rows:
        return textwrap.fill(GAP.join(headings), width) + "\n"
    if len(headings) == 2:
        return _draw_list(cells, width)
    return "\n".join(_draw_list(list(zip(headings, row, strict=True)), width) for row in cells)


def _column_widths(texts: Sequence[Sequence[str]], spare: int) -> list[int]:
    """Return the width of each column: its longest word, and a share of what is left over."""
    widths = list(map(_longest_word, texts))
    wanted = [max(map(_width, column)) for column in texts]
    for index in sorted(range(len(widths)), key=lambda index: wanted[index] - widths[index]):
        more = min(spare, wanted[index] - widths[index])
        widths[index] += more
        spare -= more
    return widths


def _draw_grid(
    headings: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], width: int
) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading, column_width in zip(headings, widths, strict=True):
        table.add_column(heading, width=column_width)
    for row in rows:
        table.add_row(*row)
    text = StringIO()
    Console(file=text, width=width, markup=False, highlight=False).print(table)
    return text.getvalue()


def _draw_list(pairs: Sequence[Sequence[str]], width: int) -> str:
    """Return a line for each heading with a value; long values go on below themselves."""
    indent = max(_width(heading) for heading, _ in pairs) + len(GAP)

    def item(heading: str, value: str) -> str:
        return textwrap.fill(
            value,
            max(width, indent + 1),
            initial_indent=heading + " " * (indent - _width(heading)),
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )

    return "".join(f"{line}\n" for line in starmap(item, [pair for pair in pairs if pair[1]]))


def _longest_word(texts: Sequence[str]) -> int:
    return max((_width(word) for text in texts for word in text.split()), default=0)


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
