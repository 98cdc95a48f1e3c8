"""The generated pages of docs/ are current."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from docs.generate import (
    CLI_PAGE,
    FIELDS_PAGE,
    SCHEMA_FILE,
    SETTINGS_PAGE,
    cli_page,
    fields_page,
    schema_file,
    settings_page,
)

from voxgate.settings import Settings


@pytest.mark.parametrize(
    ("path", "page"),
    [
        (CLI_PAGE, cli_page),
        (SETTINGS_PAGE, settings_page),
        (FIELDS_PAGE, fields_page),
        (SCHEMA_FILE, schema_file),
    ],
    ids=["cli", "settings", "fields", "schema"],
)
def test_a_generated_page_is_current(path: Path, page: Callable[[], str]) -> None:
    assert path.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_setting_is_documented() -> None:
    page = settings_page()
    in_the_file_alone = {"endpoints"}
    for field in fields(Settings):
        variable = f"`VOXGATE_{field.name.upper()}`"
        shown = "none" if field.name in in_the_file_alone else variable
        assert f"| `{field.name}` | {shown} |" in page
