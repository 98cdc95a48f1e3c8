"""Rows of activity as CSV: what a caller chose is text to every spreadsheet."""

import csv
from datetime import date
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from voxgate.ledger.activity import ActivityRow
from voxgate.ledger.activity_record import activity_record, csv_table

if TYPE_CHECKING:
    from voxgate.ledger.question import Grouping

FULL_WIDTH = "\uff1d\uff0b\uff0d\uff20"


@pytest.mark.parametrize("first", [*"=+-@\t\r\n", *FULL_WIDTH])
def test_no_cell_is_a_formula(first: str) -> None:
    text = f"{first}cmd|'/c calc'!A0"
    row = ActivityRow((date(2028, 2, 29), text, text), 1, 0, 16_000, 0, 0, None, None)
    groups: tuple[Grouping, ...] = ("day", "app", "key")
    table = csv_table([activity_record(row, groups, {text: text})], groups)
    (cells,) = csv.DictReader(StringIO(table, newline=""))
    assert cells["day"] == "2028-02-29"
    for name in ("app", "key", "api_key_hash"):
        assert cells[name] == f"'{text}"


def test_other_names_stay_as_they_are() -> None:
    row = ActivityRow(("a=b",), 1, 0, 16_000, 0, 0, None, None)
    table = csv_table([activity_record(row, ("app",), {})], ("app",))
    assert table.splitlines()[1].startswith("a=b,1,0,1.0,")
