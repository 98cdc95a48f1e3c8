"""Each model's health, and that what the doctor names mends it."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.models.store.checkpoints import write_hf
from voxgate.cli.checks.models import check_model_names, check_models
from voxgate.configuration.values import parse_value
from voxgate.models.catalogue import checkpoint_spec
from voxgate.models.footprint import memory_by_profile
from voxgate.models.store.registry import Registry
from voxgate.settings import Settings
from voxgate.voxtral.checkpoint.directory import open_directory

if TYPE_CHECKING:
    from tests.cli.command import CliRunner
    from voxgate.cli.checks.check import Check

NAME = "acme/mine"


@pytest.fixture
def settings(cli: CliRunner) -> Settings:
    """Of a home with one model."""
    settings = Settings(home=Path(cli.environment["VOXGATE_HOME"]))
    Registry.open(settings).add(write_hf(cli.folder / "it is mine"), NAME)
    return settings


def found(settings: Settings, name: str = NAME) -> Check:
    (check,) = (check for check in check_models(settings) if check.name == name)
    return check


def mended(cli: CliRunner, settings: Settings, name: str = NAME) -> Check:
    """What is found after the command that was named."""
    program, *arguments = shlex.split(found(settings, name).mend)
    assert program == "voxgate"
    done = cli.run(*arguments)
    assert done.returncode == 0, done.stderr
    return found(settings, name)


def files(cli: CliRunner, ending: str) -> Path:
    return next((cli.folder / "it is mine").glob(f"*{ending}"))


def test_a_sound_one_says_what_it_takes(settings: Settings) -> None:
    check = found(settings)
    assert (check.state, check.mend) == ("ok", "")
    assert "of memory as 'balanced'" in check.found


def test_one_that_merely_looks_changed_is_compared(cli: CliRunner, settings: Settings) -> None:
    files(cli, "tekken.json").touch()
    check = found(settings)
    assert check.state == "problem"
    assert "tekken.json was changed after it was installed" in check.found
    assert "--verify" in check.mend
    assert mended(cli, settings).state == "ok"


def test_one_that_was_changed_is_got_again(cli: CliRunner, settings: Settings) -> None:
    files(cli, "generation_config.json").write_text('{"eos_token_id": 22}')
    check = found(settings)
    assert (check.state, check.mend.split()[:3]) == ("problem", ["voxgate", "models", "add"])
    assert mended(cli, settings).state == "ok"


@pytest.mark.parametrize("whole", [True, False])
def test_one_that_lost_a_file_is_got_again(cli: CliRunner, settings: Settings, whole: bool) -> None:
    for file in [files(cli, ".safetensors")] if whole else (cli.folder / "it is mine").iterdir():
        file.unlink()
    check = found(settings)
    assert (check.state, check.mend.split()[:3]) == ("problem", ["voxgate", "models", "add"])


def test_a_broken_record_is_removed_and_hides_no_other(cli: CliRunner, settings: Settings) -> None:
    (settings.home / "models" / "acme" / "broken.json").write_text('{"version": 1')
    assert found(settings).state == "ok"
    check = found(settings, "acme/broken")
    assert (check.state, check.mend) == ("problem", "voxgate models rm acme/broken")
    assert cli.run(*shlex.split(check.mend)[1:]).returncode == 0
    assert "acme/broken" not in {check.name for check in check_models(settings)}


def test_one_that_does_not_fit_names_what_would(cli: CliRunner, settings: Settings) -> None:
    folder = open_directory(cli.folder / "it is mine")
    needs = memory_by_profile(checkpoint_spec(folder, NAME))
    assert needs["fast"] < needs["balanced"]
    tight = replace(settings, engine_memory_bytes=needs["balanced"] - 1)
    check = found(tight)
    assert check.state == "problem"
    assert "engines can have" in check.found
    profile = check.mend.removeprefix("VOXGATE_PROFILE=")
    assert found(replace(tight, profile=profile)).state == "ok"
    check = found(replace(settings, engine_memory_bytes=1))
    assert (check.state, check.mend) == (
        "problem",
        f"VOXGATE_ENGINE_MEMORY_BYTES={needs['balanced']}",
    )


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("prices", "acme/mind = 1/hour", "'prices' lists 'acme/mind'.*Nearest: acme/mine"),
        ("prices", "acme/mine = 1/hour, mine = 2/hour", "acme/mine and mine are one model"),
        ("model_aliases", "other = acme/mind", "'other' is 'acme/mind' by 'model_aliases'"),
        ("prices", "acme/mine = 1/hour, * = 2/hour, voxtral-small = 1/hour", None),
    ],
)
def test_names_with_which_no_server_starts(
    settings: Settings, setting: str, value: str, says: str | None
) -> None:
    aliases = {"model_aliases": (("mine", NAME),)}
    given = {setting: parse_value(setting, tuple, value, "this test")}
    chosen = replace(settings, **(aliases | given))
    checks = list(check_model_names(chosen))
    assert [(each.name, each.state) for each in checks] == [(setting, "problem")] * bool(says)
    for each in checks:
        assert re.search(says or "", each.found)
