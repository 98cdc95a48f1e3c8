"""Run `voxgate` as users run it: a process with arguments, streams and an exit code."""

from __future__ import annotations

import ctypes
import os
import pty
import re
import subprocess
import sys
import tempfile
import time
import wave
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from tests.cli.forking import Command, fork_server
from tests.processes import heed_signals
from tests.sounds import RATE, Pcm, sample
from tests.whisper.weights import install_links

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator

DEADLINE_S = 300.0  # long enough to tell slow from stuck: see tests/processes.py
MODEL = ("-m", "Systran/faster-whisper-base")
CLIP_WORDS = "train stopped outside the city"
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2

_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class CliRunner:
    """The command line, run with a home directory that belongs to one test."""

    folder: Path  # working directory and HOME: the test's files
    temp: Path  # TMPDIR: with a short path, because it holds sockets
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        own = {"HOME": str(self.folder), "VOXGATE_HOME": str(self.folder / "home")}
        return {**os.environ, **own, "TMPDIR": str(self.temp), "NO_COLOR": "1", **self.settings}

    def run(
        self,
        *arguments: str | Path,
        stdin: bytes | IO[bytes] | None = None,
        stdout: int | IO[bytes] = subprocess.PIPE,
        preexec: Callable[[], None] | None = None,
        before: tuple[str, ...] = (),
        **settings: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for its end, forked from a warm process where that can be."""
        command = Command([*map(str, arguments)], self.environment | settings, str(self.folder))
        own = stdin is not None or stdout != subprocess.PIPE or preexec or before
        if not own and command.is_forkable:
            forked = fork_server().run(command, DEADLINE_S)
            return subprocess.CompletedProcess(
                forked.args, forked.returncode, forked.stdout.decode(), forked.stderr.decode()
            )
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "voxgate", *command.arguments],
            stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin or subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=command.environment,
            cwd=self.folder,
            preexec_fn=preexec or heed_signals,  # noqa: PLW1509 (the tests have no threads)
        )
        with process:
            data = stdin if isinstance(stdin, bytes) else None
            out, err = process.communicate(data, timeout=DEADLINE_S)
        return subprocess.CompletedProcess(
            process.args, process.returncode, (out or b"").decode(), err.decode()
        )

    def run_on_terminal(
        self, *arguments: str | Path, typed: bytes | None = None, **settings: str
    ) -> tuple[int, str, str]:
        """Run with stderr on a terminal; return the exit code, stdout and the terminal's text.

        With `typed` standard input is the terminal too, and that is typed there.
        """
        screen_end, command_end = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "voxgate", *map(str, arguments)],
            stdin=subprocess.DEVNULL if typed is None else command_end,
            stdout=subprocess.PIPE,
            stderr=command_end,
            env={**self.environment, "TERM": "xterm", "COLUMNS": "120", **settings},
            cwd=self.folder,
        )
        os.close(command_end)
        os.write(screen_end, typed or b"")
        with process, os.fdopen(screen_end, "rb", buffering=0) as screen:
            text = b""
            with suppress(OSError):  # EIO: Linux reports so that the other end was closed
                while part := screen.read(4096):
                    text += part
            out, _ = process.communicate(timeout=DEADLINE_S)
        return process.returncode, out.decode(), text.decode()

    @contextmanager
    def running(self, *arguments: str | Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """Start a command in its own process group; kill it at the end if it still runs."""
        process = subprocess.Popen(
            [sys.executable, "-m", "voxgate", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment | settings,
            cwd=self.folder,
            start_new_session=True,
            preexec_fn=heed_signals,  # noqa: PLW1509 (as above)
        )
        with process:
            try:
                yield process
            finally:
                process.kill()


@contextmanager
def isolated_cli(folder: Path, *, installed: bool = True) -> Iterator[CliRunner]:
    """Yield a runner, then check that its commands left the temporary folder empty.

    Its home has the built-in model, unless it is to be empty.
    """
    if installed:
        install_links(folder / "home")
    with tempfile.TemporaryDirectory(prefix="vg-") as temp:
        yield CliRunner(folder, Path(temp))
        wait_until(lambda: not any(Path(temp).iterdir()))


def clip() -> Pcm:
    """Return the 2.2 s of the voice note in which `CLIP_WORDS` are spoken, and 0.3 s of silence.

    What follows them at once is another word, and half of one is heard otherwise on each processor.
    """
    spoken = sample()[3 * RATE : 3 * RATE + 22 * RATE // 10]
    return np.concatenate([spoken, np.zeros(3 * RATE // 10, np.int16)])


def write_wav(path: Path, samples: Pcm) -> Path:
    """Write int16 samples at 16 kHz as a WAV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def without_times(text: str) -> str:
    """Return a summary without how much sound there was, and how long it took."""
    return re.sub(r"; [\d:]+ of sound in [\d:]+\.", ".", text)


def drop_permission_override() -> None:
    """In a child that runs as root: make file permissions apply as to any other user."""
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            _LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def descendants(pid: int) -> set[int]:
    """Return the ids of all processes below `pid`, read from /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        stat = _stat(int(entry.name))
        if stat:
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found: set[int] = set()
    pending = [pid]
    while pending:
        below = children.get(pending.pop(), [])
        found.update(below)
        pending.extend(below)
    return found


def has_exited(pid: int) -> bool:
    """Return whether a process has ended; a zombie counts as ended."""
    stat = _stat(pid)
    return not stat or stat[0] in "ZX"


def runs_module(pid: int, module: str) -> bool:
    """Return whether a process below `pid` runs this module."""
    return any(module in _commandline(child) for child in descendants(pid))


def handles_signal(pid: int, number: signal.Signals) -> bool:
    """Return whether a process has installed a handler for the signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true; fail after `DEADLINE_S`."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"not true within {DEADLINE_S:g} s"
        time.sleep(0.01)


def _stat(pid: int) -> list[str]:
    """Return the fields after the name: state, parent's id, …; empty when it has exited."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _commandline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""
