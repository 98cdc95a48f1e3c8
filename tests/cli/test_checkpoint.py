"""`-m FOLDER`: a Voxtral checkpoint at work. Its weights are random, and so are its words."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import DEADLINE_S, CliRunner
from tests.engine.folders import weightless
from tests.sounds import SAMPLE
from tests.voxtral import checkpoints, vocabulary


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("checkpoint")
    tekken = vocabulary.write_tekken(home / "tekken" / "tekken.json", vocabulary.TINY_TEXTS)
    return checkpoints.save_hf(checkpoints.random_model(), tekken, home / "my-voxtral")


def heard(cli: CliRunner, folder: Path, *arguments: str) -> dict[str, Any]:
    """The verbose_json of the sample, at most ten tokens of it."""
    call = ("transcribe", SAMPLE, "-m", folder, "-f", "verbose_json", "--max-tokens", "10")
    done = cli.run(*call, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    body: dict[str, Any] = json.loads(done.stdout)
    return body


def test_it_answers_under_its_folders_name_with_what_the_speech_is_timed_by(
    cli: CliRunner, checkpoint: Path
) -> None:
    greedy = heard(cli, checkpoint)
    assert greedy["model"] == "my-voxtral"
    assert greedy["text"]
    for segment in greedy["segments"]:
        assert segment["time_source"] == "speech_region"
        assert 0 < segment["confidence"] < 1
        assert 0 <= segment["start"] < segment["end"] <= greedy["duration"]
    half = greedy["text"][len(greedy["text"]) // 2 :]
    stopped = heard(cli, checkpoint, "--stop", half)["text"]
    assert stopped == greedy["text"].removesuffix(half).rstrip()


def test_a_seed_gives_the_same_words_again(cli: CliRunner, checkpoint: Path) -> None:
    drawn = [
        heard(cli, checkpoint, "--temperature", "1", "--seed", seed)["text"]
        for seed in ("7", "7", "8")
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_command_itself_never_loads_the_model(cli: CliRunner, checkpoint: Path) -> None:
    """It reads headers, to know what fits. The folder is named from where the command runs."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print({'torch', 'mistral_common'} & set(sys.modules)))\n"
        f"sys.argv = ['voxgate', 'transcribe', {str(SAMPLE)!r}, '-m', './my-voxtral',\n"
        "    '--max-tokens', '1', '-o', sys.argv[1]]\n"
        "from voxgate.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(cli.folder)],
        env=cli.environment,
        cwd=checkpoint.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_S,
    )
    assert done.stdout == "set()\n"
    assert (cli.folder / "voice-note.txt").exists()


def test_weights_that_cannot_be_read_are_told_in_a_line(cli: CliRunner) -> None:
    weightless(cli.folder / "mine")
    done = cli.run("transcribe", SAMPLE, "-m", "./mine")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "mine" in line
    assert "Traceback" not in line


def test_a_language_that_the_family_lacks_starts_nothing(cli: CliRunner) -> None:
    weightless(cli.folder / "mine")
    done = cli.run("transcribe", SAMPLE, "-m", "./mine", "--language", "sv")
    assert done.returncode == 2
    assert "It knows: en, fr, es, pt, hi, de, nl, it" in done.stderr
