"""Every link from a page to a file of the project leads somewhere, and every table is whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert not [each for each in targets if not (page.parent / each).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_have_as_many_cells_in_every_row(page: Path) -> None:
    """A row that was cut or joined, and one that a blank line parts from its table."""
    lines = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    rows = list[str]()
    for line in [*lines.splitlines(), ""]:
        if line.startswith("|"):
            rows.append(line)
        elif rows:
            assert len(rows) > 2, rows
            assert len({_cells(row) for row in rows}) == 1, [
                row for row in rows if _cells(row) != _cells(rows[0])
            ]
            rows = []


def _cells(row: str) -> int:
    return re.sub(r"`[^`]*`|\\\|", "", row).count("|")


def test_the_list_of_decisions_has_each_once() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"^\| \[\d+\]\((.+?)\)", (folder / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in folder.glob("[0-9]*.md"))
    numbers = [name[:4] for name in listed]
    assert numbers == sorted(set(numbers))
