"""Whether three hours through the command line slow down or grow.

    python -m benchmarks.endurance [HOURS [PAUSE_S]]

Loops the sample, with a pause after each time, transcribes it on a pseudo-terminal, reads the
progress that a user sees, and asks the kernel for the memory of every process. Takes a fifth of the
speech's length or more.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import imageio_ffmpeg
import psutil

SAMPLE = Path(__file__).parent.parent / "samples" / "voice-note.flac"
DONE = re.compile(r"((?:\d+:)+\d\d) of ")  # [hours:]minutes:seconds of sound


@dataclass
class Memory:
    """Resident memory of one process, bytes: at its start (the first look) and at most."""

    name: str
    start: int
    most: int = 0


@dataclass(frozen=True)
class Mark:
    """A sight of the progress line. All in seconds."""

    wall_s: float
    processor_s: float
    sound_s: float


@dataclass
class Watch:
    """What was seen while the command ran."""

    memory: dict[int, Memory] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    processor_s: float = 0.0  # of all processes, at the last look

    def look(self, process: psutil.Process) -> None:
        """Take the memory of a process and all below it."""
        used_s = 0.0
        for each in [process, *process.children(recursive=True)]:
            try:
                size, words, times = each.memory_info().rss, each.cmdline(), each.cpu_times()
            except psutil.Error:
                continue
            known = self.memory.setdefault(each.pid, Memory(" ".join(words[1:4]), size))
            known.most = max(known.most, size)
            used_s += times.user + times.system
        self.processor_s = used_s


def main() -> None:
    """Run, watch, print."""
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 3
    pause_s = float(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.flac")
        loop(path, hours * 3600, pause_s)
        watch = transcribe(path, Path(folder))
        words = len((Path(folder) / "long.txt").read_text(encoding="utf-8").split())
    print(f"{hours:g} h of sound, {words} words, {watch.marks[-1].wall_s:.0f} s")
    for hour in range(int(hours)):
        first, last = at(watch, hour * 3600), at(watch, (hour + 1) * 3600)
        took = last.wall_s - first.wall_s
        print(
            f"hour {hour + 1}: {took:.0f} s, {3600 / took:.2f} x real time, "
            f"{last.processor_s - first.processor_s:.0f} s of processors"
        )
    for memory in watch.memory.values():
        grown = (memory.most - memory.start) / 1e6
        print(f"{memory.name:50} start {memory.start / 1e6:4.0f} MB, grew by {grown:4.0f} MB")


def loop(path: Path, seconds: float, pause_s: float) -> None:
    """The sample and a pause, over and over."""
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
    once = path.with_name("once.flac")
    pad = ("-af", f"apad=pad_dur={pause_s}") if pause_s else ()
    subprocess.run([*ffmpeg, "-i", str(SAMPLE), *pad, str(once)], check=True)
    again = ("-stream_loop", "-1", "-i", str(once), "-t", str(seconds))
    subprocess.run([*ffmpeg, *again, str(path)], check=True)
    once.unlink()


def transcribe(path: Path, folder: Path) -> Watch:
    """Run the command line on a pseudo-terminal of its own, and watch it."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "voxgate", "transcribe", str(path), "-o", str(folder)]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    process = subprocess.Popen(command, stdin=theirs, stderr=theirs, stdout=theirs, env=environ)
    os.close(theirs)
    watch, began, looked, text = Watch(), time.monotonic(), 0.0, ""
    watch.marks.append(Mark(0.0, 0.0, 0.0))
    while data := read(ours):
        text = (text + data)[-4000:]
        now = time.monotonic() - began
        if found := DONE.findall(text):
            watch.marks.append(Mark(now, watch.processor_s, seconds(found[-1])))
        if now - looked > 1:
            looked = now
            watch.look(psutil.Process(process.pid))
    if process.wait() != 0:
        sys.exit(f"the command failed: {text}")
    watch.marks.append(Mark(time.monotonic() - began, watch.processor_s, float("inf")))
    return watch


def read(fd: int) -> str:
    """What the terminal shows next; empty at its end."""
    try:
        return os.read(fd, 1 << 16).decode(errors="replace")
    except OSError:  # Linux ends a pseudo-terminal with EIO
        return ""


def seconds(clock: str) -> float:
    """`1:02:03` or `02:03` as seconds."""
    total = 0
    for part in clock.split(":"):
        total = total * 60 + int(part)
    return float(total)


def at(watch: Watch, sound_s: float) -> Mark:
    """The first mark at which so much sound was done."""
    return next(mark for mark in watch.marks if mark.sound_s >= sound_s)


if __name__ == "__main__":
    main()
