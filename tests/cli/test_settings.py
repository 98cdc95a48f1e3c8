"""`voxgate config show` and `voxgate doctor` show settings without the password of a database."""

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.cli.command import CliRunner
from voxgate.api.setting_texts import setting_text
from voxgate.cli.checks.software import check_settings
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


def test_the_secret_of_transcripts_is_never_shown() -> None:
    settings = replace(Settings(), transcript_key=(b"s" * 32, b"t" * 32))
    assert setting_text("transcript_key", settings.transcript_key) == "(set)"
    (check, *_) = check_settings(settings, ())
    assert check.found == "transcript_key = (set)"
    assert "sss" not in repr(settings)
