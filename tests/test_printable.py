"""What a terminal would act on is escaped; what people write is kept."""

import pytest

from voxgate.printable import HARMLESS, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\r\t", r"two\nlines\r\t"),
        ("\x1b[2J\x7f\x9b", r"\x1b[2J\x7f\x9b"),
        ("\u202eturned\u2028", r"\u202eturned\u2028"),
        ("\ud800", r"\ud800"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["", "Zürich, 東京, नमस्ते 👩‍🚒", f"a{HARMLESS}b"])
def test_what_people_write_is_kept(text: str) -> None:
    assert printable(text) == text
