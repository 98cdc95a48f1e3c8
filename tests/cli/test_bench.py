"""`voxgate bench engine` on the checkpoint that hears digits: its figures, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.command import CliRunner
from tests.spoken_digits import CHECKPOINT

KEYS = {"rtf", "encode_s", "prefill_s", "ms_per_token", "peak_rss_bytes", "load_s"}


@pytest.fixture
def digits(cli: CliRunner) -> Path:
    return Path(shutil.copytree(CHECKPOINT, cli.folder / "digits"))


def test_figures_of_every_profile_and_the_floor(cli: CliRunner, digits: Path) -> None:
    done = cli.run("bench", "engine", digits, "--tokens", "2", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found["profiles"]) == ["exact", "balanced", "fast"]
    for figures in found["profiles"].values():
        assert set(figures) == KEYS
        assert all(value > 0 for value in figures.values())
        taken = figures["encode_s"] + figures["prefill_s"] + figures["ms_per_token"] / 10
        assert figures["rtf"] == pytest.approx(taken / 30)
        assert found["floor_rtf"] < figures["rtf"]
    assert "this machine: reads" in done.stderr


def test_one_profile_alone(cli: CliRunner, digits: Path) -> None:
    done = cli.run("bench", "engine", digits, "--profile", "balanced", "--tokens", "1")
    assert done.returncode == 0, done.stderr
    headings, row = done.stdout.splitlines()
    assert headings.startswith("profile\treal-time factor\tfloor")
    assert row.startswith("balanced\t")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--profile", "int4"), "No profile is called 'int4'. There are exact, balanced, fast."),
        (("Systran/faster-whisper-base",), "has no profiles"),
        (("nothing-here",), "nothing-here"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(
    cli: CliRunner, arguments: tuple[str, ...], sentence: str
) -> None:
    done = cli.run("bench", "engine", *arguments)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
