"""Models at providers elsewhere, in the commands for models: each says what they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command import CliRunner

LARGE, BASE = "openai/whisper-large-v3", "Systran/faster-whisper-base"
TABLES = f"""
[[providers]]
name = "groq"
kind = "compatible"
url = "https://api.groq.com/openai/v1"
keys = ["env:KEY_OF_GROQ", "file:/nowhere/groq"]

[[providers]]
name = "near"
kind = "vllm"
url = "http://127.0.0.1:9/v1"

[[endpoints]]
model = "{LARGE}"
provider = "groq"
upstream_model = "whisper-large-v3"

[[endpoints]]
model = "whisper-base"
provider = "near"
upstream_model = "openai/whisper-base"
"""
NOT_HERE = f"voxgate: {LARGE} is not on this machine, but at groq: it has no files, and takes no "


@pytest.fixture
def cli(empty_cli: CliRunner) -> CliRunner:
    home: Path = empty_cli.folder / "home"
    home.mkdir()
    (home / "voxgate.toml").write_text(TABLES, "utf-8")
    return empty_cli


def test_they_are_listed_with_their_providers(cli: CliRunner) -> None:
    facts = {each["name"]: each for each in json.loads(cli.run("models", "--json").stdout)}
    assert list(facts) == [BASE, LARGE]
    assert facts[LARGE]["providers"] == ["groq"]
    assert (facts[LARGE]["installed"], facts[LARGE]["missing"]) == (False, None)
    assert facts[LARGE]["endpoints"][0]["upstream_model"] == "whisper-large-v3"
    assert facts[BASE]["providers"][-1] == "near"
    rows = [line.split("\t") for line in cli.run("models").stdout.splitlines()]
    states = {row[0]: row[5] for row in rows}
    assert states[LARGE] == "at groq"
    assert states[BASE].endswith("also at near")
    offline = json.loads(cli.run("--offline", "models", "--json").stdout)
    assert [each["name"] for each in offline] == [BASE]


def test_one_is_shown_without_files(cli: CliRunner) -> None:
    shown = cli.run("models", "show", "whisper-large-v3")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = dict(line.split("\t") for line in shown.stdout.splitlines())
    assert (lines["name"], lines["state"]) == (LARGE, "not on this machine")
    assert lines["at groq"].startswith("whisper-large-v3; languages: 99 languages; times: word; lo")
    assert json.loads(cli.run("models", "show", LARGE, "--json").stdout)["providers"] == ["groq"]
    away = cli.run("--offline", "models", "show", LARGE)
    assert away.returncode == 1
    assert away.stderr.startswith(f"voxgate: {LARGE} is on other machines alone, at groq, but")


@pytest.mark.parametrize(
    "command",
    [
        ("models", "show", LARGE, "--verify"),
        ("models", "rm", LARGE),
        ("models", "rm", "whisper-large-v3"),
        ("models", "export", LARGE, "model.voxgate"),
        ("unload", LARGE),
        ("engine", LARGE, "--socket", "engine.sock"),
        ("bench", "engine", LARGE),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_what_needs_files_says_that_there_are_none(
    cli: CliRunner, command: tuple[str, ...]
) -> None:
    done = cli.run(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(NOT_HERE)
    assert not list(cli.folder.glob("*.voxgate"))
