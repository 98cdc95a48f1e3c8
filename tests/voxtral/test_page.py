"""`docs/voxtral.md` quotes the line of each equation, and each line exists."""

import re
from pathlib import Path

import pytest

import voxgate.voxtral

PAGE = Path(__file__).parents[2] / "docs" / "voxtral.md"
PACKAGE = Path(voxgate.voxtral.__file__).parent


def quotes() -> list[tuple[str, str]]:
    """Return each quoted line with the files in its section's title."""
    lines = []
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        files = " ".join(re.findall(r"`([\w/]+\.py)`", title))
        rows = (line for line in body.splitlines() if line.endswith("` |"))
        lines += [(files, row.rpartition(" | `")[2][: -len("` |")]) for row in rows]
    return lines


@pytest.mark.parametrize(("files", "line"), quotes())
def test_a_quoted_line_appears_once_in_its_file(files: str, line: str) -> None:
    source = "\n".join((PACKAGE / name).read_text(encoding="utf-8") for name in files.split())
    assert [text.strip() for text in source.splitlines()].count(line) == 1


def test_the_page_quotes_the_equations() -> None:
    assert len(quotes()) > 40
