"""`voxgate config show` and `voxgate doctor` show settings without the password of a database."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import CliRunner
from voxgate.api.setting_texts import setting_text
from voxgate.cli.checks.software import check_settings
from voxgate.cli.config_text import configuration_json, configuration_toml
from voxgate.configuration.file import ConfigFile
from voxgate.configuration.given import Given
from voxgate.settings import Settings

ADDRESSES = [
    ("postgresql://me:secret@host/books", "postgresql://me:***@host/books"),
    ("postgresql://me:sec/ret@host/books", "postgresql://me:***@host/books"),
    ("postgresql://me:sec:ret@host/books", "postgresql://me:***@host/books"),
    ("postgresql://me@host/books?password=secret", "postgresql://me:***@host/books"),
    ("postgresql://me:sec/ret@host", "(set)"),
    ("mysql://me:secret@host/books", "(set)"),
    ("secret", "(set)"),
    ("", ""),
]


@pytest.mark.parametrize(("url", "shown"), ADDRESSES)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert setting_text("database_url", url) == shown
    (check, *_) = check_settings(replace(Settings(), database_url=url), ())
    assert check.found == (f"database_url = {shown}" if shown else "all defaults")


@pytest.mark.parametrize("url", ["", "postgresql://me:sec/ret@host/books"])
def test_a_list_loads_the_databases_library_for_an_address_alone(cli: CliRunner, url: str) -> None:
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('sqlalchemy' in sys.modules, file=sys.stderr))\n"
        "sys.argv = ['voxgate', 'config', 'show']\n"
        "from voxgate.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=cli.environment | {"VOXGATE_DATABASE_URL": url},
        capture_output=True,
        check=True,
        text=True,
    )
    shown = '"postgresql://me:***@host/books"  # VOXGATE_DATABASE_URL' if url else '""  # default'
    assert f"database_url = {shown}\n" in done.stdout
    assert done.stderr.strip() == str(bool(url))


OF_PROVIDER = {"oidc_issuer": "https://login.example.org", "oidc_client_id": "voxgate"}


@pytest.mark.parametrize(
    ("name", "value", "beside"),
    [
        ("transcript_key", (b"s" * 32, b"t" * 32), {}),
        ("page_secret", (b"s" * 32,), {}),
        ("oidc_client_secret", "s" * 32, OF_PROVIDER),
    ],
)
def test_a_secret_is_never_shown(
    name: str, value: object, beside: dict[str, Any], tmp_path: Path
) -> None:
    settings = replace(Settings(), **{name: value, **beside})
    assert setting_text(name, getattr(settings, name)) == "(set)"
    found = [each.found for each in check_settings(settings, ())]
    assert any(f"{name} = (set)" in each for each in found)
    given = Given({name: value}, {name: "here"})
    (tmp_path / "voxgate.toml").touch()
    file = ConfigFile.read(tmp_path / "voxgate.toml")
    as_toml = configuration_toml(settings, given, file, ())
    as_json = configuration_json(settings, given, file, ())
    for text in (repr(settings), as_toml, repr(as_json), *found):
        assert "sss" not in text
