"""`voxgate` as its users run it: a process with arguments, streams and an exit code."""

from __future__ import annotations

import ctypes
import os
import pty
import subprocess
import sys
import tempfile
import time
import wave
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.processes import heed_signals
from tests.sounds import RATE, Pcm, sample

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator

DEADLINE_S = 300.0  # tells slow from never: tests/processes.py
MODEL = ("-m", "cmusphinx/en-us")
CLIP_WORDS = "train stopped outside the city"
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2

_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class Place:
    """A home of its own for the commands of a test."""

    folder: Path  # for a test's files
    temp: Path  # for the command's own: with a short name, because sockets lie in it
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        ours = {"HOME": str(self.folder), "VOXGATE_HOME": str(self.folder / "home")}
        return {**os.environ, **ours, "TMPDIR": str(self.temp), "NO_COLOR": "1", **self.settings}

    def run(
        self,
        *arguments: str | Path,
        stdin: bytes | IO[bytes] | None = None,
        stdout: int | IO[bytes] = subprocess.PIPE,
        preexec: Callable[[], None] | None = None,
        before: tuple[str, ...] = (),
        **settings: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "voxgate", *map(str, arguments)],
            stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin or subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=self.environment | settings,
            cwd=self.folder,
            preexec_fn=preexec or heed_signals,  # noqa: PLW1509 (the tests have no threads)
        )
        with process:
            given = stdin if isinstance(stdin, bytes) else None
            out, err = process.communicate(given, timeout=DEADLINE_S)
        return subprocess.CompletedProcess(
            process.args, process.returncode, (out or b"").decode(), err.decode()
        )

    def watched(self, *arguments: str | Path, **settings: str) -> tuple[int, str, str]:
        """Run it with standard error on a terminal: exit code, standard output, what was shown."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "voxgate", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**self.environment, "TERM": "xterm", "COLUMNS": "120", **settings},
            cwd=self.folder,
        )
        os.close(theirs)
        with process, os.fdopen(ours, "rb", buffering=0) as screen:
            shown = b""
            with suppress(OSError):  # how Linux says that the other end was closed
                while part := screen.read(4096):
                    shown += part
            out, _ = process.communicate(timeout=DEADLINE_S)
        return process.returncode, out.decode(), shown.decode()

    @contextmanager
    def running(self, *arguments: str | Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """Start it in a process group of its own; whatever is left at the end is killed."""
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
def place(folder: Path) -> Iterator[Place]:
    """A place whose temporary folder must be empty in the end."""
    with tempfile.TemporaryDirectory(prefix="vg-") as temp:
        yield Place(folder, Path(temp))
        wait_until(lambda: not any(Path(temp).iterdir()))


def clip() -> Pcm:
    """The part of the voice note that says `CLIP_WORDS`: 2.5 s."""
    return sample()[3 * RATE : 3 * RATE + 5 * RATE // 2]


def write_wav(path: Path, samples: Pcm) -> Path:
    """A WAV file of int16 samples at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def without_override() -> None:
    """For root, in the child: let permissions deny what they deny to everybody else."""
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            _LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def descendants(pid: int) -> set[int]:
    """Every living process below this one, by /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        stat = _stat(int(entry.name))
        if stat:
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting.extend(below)
    return found


def is_gone(pid: int) -> bool:
    """Whether a process has ended, whoever has yet to reap it."""
    stat = _stat(pid)
    return not stat or stat[0] in "ZX"


def runs(pid: int, module: str) -> bool:
    """Whether some process below `pid` runs this module."""
    return any(module in _commandline(child) for child in descendants(pid))


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for the signal by now."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait, up to a deadline, for what must come about."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "did not come about in time"
        time.sleep(0.01)


def _stat(pid: int) -> list[str]:
    """State, parent's id and so on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _commandline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""
