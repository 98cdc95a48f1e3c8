"""Rows of activity as CSV: what a caller chose is text to every spreadsheet."""

import csv
from datetime import date
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from voxgate.ledger.activity import ActivityRow
from voxgate.ledger.activity_record import activity_record, csv_table
from voxgate.printable import printable

if TYPE_CHECKING:
    from voxgate.ledger.activity_query import Grouping

FULL_WIDTH = "\uff1d\uff0b\uff0d\uff20"


def cell_of(text: str) -> str:
    """The cell of a table that the text becomes, in each column that may have it."""
    row = ActivityRow((date(2028, 2, 29), text, text), 1, 0, 16_000, 0, 0, None, None)
    groups: tuple[Grouping, ...] = ("day", "app", "key")
    table = csv_table([activity_record(row, groups, {text: text})], groups)
    assert all(line == printable(line) for line in table.split("\r\n"))
    (cells,) = csv.DictReader(StringIO(table, newline=""))
    assert cells["day"] == "2028-02-29"
    assert cells["app"] == cells["key"] == cells["api_key_hash"]
    return cells["app"]


@pytest.mark.parametrize("first", ["", " ", "   ", "\u00a0", "\u3000"])
@pytest.mark.parametrize("sign", [*"=+-@", *FULL_WIDTH])
def test_no_cell_is_a_formula(first: str, sign: str) -> None:
    text = f"{first}{sign}cmd|'/c calc'!A0"
    assert cell_of(text) == f"'{printable(text)}"


def test_no_cell_has_a_control_character() -> None:
    """A tab or a line end before a sign begins a formula, too, and a terminal obeys the others."""
    for code in (*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x202E, 0xFEFF):
        for text in (f"{chr(code)}=1+1", f"a{chr(code)}b"):
            cell = cell_of(text)
            assert cell.isprintable()
            assert cell.replace("'", "")[0] in {"\\", "a"}


def test_other_names_stay_as_they_are() -> None:
    row = ActivityRow(("a=b",), 1, 0, 16_000, 0, 0, None, None)
    table = csv_table([activity_record(row, ("app",), {})], ("app",))
    assert table.splitlines()[1].startswith("a=b,1,0,1.0,")
