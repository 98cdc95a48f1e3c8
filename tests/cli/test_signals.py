"""Ctrl-C, SIGTERM, SIGHUP and kill -9 during work leave no process and no file."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import (
    DEADLINE_S,
    MODEL,
    CliRunner,
    clip,
    descendants,
    handles_signal,
    has_exited,
    runs_module,
    wait_until,
    without_times,
    write_wav,
)
from tests.processes import heed_signals
from tests.sounds import sample

DECODER, ENGINE = "voxgate.audio.decoder", "voxgate.engine"


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of speech: no test waits for its end."""
    return write_wav(tmp_path_factory.mktemp("long") / "long.wav", np.tile(sample(), 30))


def at_work(process: subprocess.Popen[str]) -> set[int]:
    """Wait until decoder and engine run; every process below."""
    wait_until(lambda: runs_module(process.pid, ENGINE) and runs_module(process.pid, DECODER))
    return descendants(process.pid)


@pytest.mark.parametrize(
    ("number", "code", "line"),
    [
        (signal.SIGINT, 130, "voxgate: interrupted: stopping."),
        (signal.SIGTERM, 143, "voxgate: terminated: stopping."),
        (signal.SIGHUP, 129, "voxgate: the terminal has gone: stopping."),
    ],
)
def test_a_signal_ends_everything(
    cli: CliRunner, long: Path, number: signal.Signals, code: int, line: str
) -> None:
    with cli.running("transcribe", *MODEL, long, "-o", "out") as process:
        below = at_work(process)
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err.splitlines()) == (code, "", [line])
    assert below
    assert all(map(has_exited, below))
    assert not list((cli.folder / "out").iterdir())


@pytest.mark.parametrize("module", ["typer", "av"])
def test_ctrl_c_while_it_loads_ends_it_silently(cli: CliRunner, module: str) -> None:
    shim = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(1)\n"
    (cli.folder / f"{module}.py").write_text(shim)
    done = cli.run("doctor", preexec=heed_signals)  # in a process of its own, which imports it
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_the_installed_command_loads_as_little() -> None:
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert pyproject["project"]["scripts"] == {"voxgate": "voxgate.__main__:main"}
    loaded = "import sys, voxgate.__main__; sys.exit('typer' in sys.modules)"
    subprocess.run([sys.executable, "-c", loaded], check=True)


def test_an_impatient_second_ctrl_c_changes_nothing(cli: CliRunner, long: Path) -> None:
    with cli.running("transcribe", *MODEL, long) as process:
        below = at_work(process)
        for _ in range(5):
            os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err) == (130, "", "voxgate: interrupted: stopping.\n")
    assert all(map(has_exited, below))


def test_ctrl_c_tells_how_many_recordings_are_done_and_left(cli: CliRunner, long: Path) -> None:
    write_wav(cli.folder / "a.wav", clip())
    with cli.running("transcribe", *MODEL, "a.wav", long, "gone.wav", "-o", "out") as process:
        wait_until((cli.folder / "out" / "a.txt").exists)
        at_work(process)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE_S)
    stopping, summary, advice = err.splitlines()
    assert stopping == "voxgate: interrupted: stopping."
    assert without_times(summary) == "voxgate: 3 recordings: 1 transcribed, 2 left."
    assert "--skip-existing" in advice


def test_kill_9_ends_every_process(cli: CliRunner, long: Path) -> None:
    with cli.running("transcribe", *MODEL, long, "-o", "out") as process:
        below = at_work(process)
        process.kill()
        process.wait()
        assert below
        wait_until(lambda: all(map(has_exited, below)))
    assert not list((cli.folder / "out").iterdir())


def test_ctrl_c_ends_a_wait_for_an_empty_pipe(cli: CliRunner) -> None:
    os.mkfifo(cli.folder / "pipe")
    with cli.running("transcribe", *MODEL, "pipe") as process:
        tasks = Path(f"/proc/{process.pid}/task")
        wait_until(
            lambda: handles_signal(process.pid, signal.SIGTERM) and len(list(tasks.iterdir())) > 1
        )
        process.terminate()
        _, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, err) == (143, "voxgate: terminated: stopping.\n")
