"""`voxgate bench engine` on the checkpoint that hears digits: its figures, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.command import CliRunner
from tests.spoken_digits import CHECKPOINT

KEYS = {"rtf", "encode_s", "prefill_s", "ms_per_token", "peak_rss_bytes", "load_s"}
HEADINGS = [
    *("profile", "windows", "real-time factor", "floor", "x floor", "encode", "prompt", "token"),
    *("memory", "load"),
]


@pytest.fixture
def digits(cli: CliRunner) -> Path:
    return Path(shutil.copytree(CHECKPOINT, cli.folder / "digits"))


def test_figures_of_every_profile_and_the_floor(cli: CliRunner, digits: Path) -> None:
    windows = ("--windows", "3", "--windows", "1")
    done = cli.run("bench", "engine", digits, *windows, "--tokens", "2", "--json")
    assert done.returncode == 0, done.stderr
    *table, last = done.stdout.splitlines()
    found = json.loads(last)
    assert list(found["profiles"]) == ["exact", "balanced", "fast"]
    for figures in found["profiles"].values():
        assert set(figures) == KEYS
        assert all(value > 0 for value in figures.values())
        taken = figures["encode_s"] + figures["prefill_s"] + figures["ms_per_token"] / 10
        assert figures["rtf"] == pytest.approx(taken / 30)
        assert found["floor_rtf"] < figures["rtf"]
    assert "this machine: reads" in done.stderr
    assert set(found["machine"]) == {
        *("read_bytes_per_s", "wide_ops_per_s", "int8_ops_per_s", "threads", "kernels")
    }

    kinds = [(profile, count) for profile in found["profiles"] for count in (1, 3)]
    assert [(run["profile"], run["windows"]) for run in found["runs"]] == kinds
    headings, *rows = [line.split("\t") for line in table]
    assert headings == HEADINGS
    for run, row in zip(found["runs"], rows, strict=True):
        assert set(run) == {"profile", "windows", *KEYS, "floor_rtf", "x_floor"}
        taken = run["encode_s"] + run["prefill_s"] + run["ms_per_token"] / 10
        assert run["rtf"] == pytest.approx(taken / (30 * run["windows"]))
        assert run["x_floor"] == pytest.approx(run["rtf"] / run["floor_rtf"])
        assert run["x_floor"] > 1
        assert row[:3] == [run["profile"], str(run["windows"]), f"{run['rtf']:.3f}"]
    assert found["floor_rtf"] == min(run["floor_rtf"] for run in found["runs"][::2])


def test_one_profile_of_one_window_and_of_eight(cli: CliRunner, digits: Path) -> None:
    done = cli.run("bench", "engine", digits, "--profile", "balanced", "--tokens", "1")
    assert done.returncode == 0, done.stderr
    headings, one, eight = done.stdout.splitlines()
    assert headings.split("\t") == HEADINGS
    assert one.startswith("balanced\t1\t")
    assert eight.startswith("balanced\t8\t")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--profile", "int4"), "No profile is called 'int4'. There are exact, balanced, fast."),
        (("--windows", "0"), "'--windows': should be at least 1"),
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
