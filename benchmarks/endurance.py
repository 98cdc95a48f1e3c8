"""The speed and the memory of the command line over three hours of sound.

    python -m benchmarks.endurance [HOURS [PAUSE_S]]

Loops ten minutes of VOXGATE_AUDIO, or the sample where there is none, with a pause after each
repetition, and transcribes it on a pseudo-terminal. Reads the progress that a user sees, and every
process's memory from the kernel. The sample alone takes longer: a text that is heard three times in
one window is taken for a loop, and decoded again and again.
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

from benchmarks.recordings import SAMPLE
from benchmarks.whisper import english_recordings, ten_minutes

DONE = re.compile(r"((?:\d+:)+\d\d) of \d")
"""`[hours:]minutes:seconds`, of so many; not the length of the sound, which "of sound" follows."""


@dataclass
class Memory:
    """Resident memory of one process, in bytes: at its start (the first sample), and peaks."""

    name: str
    start: int
    peaks: dict[int, int] = field(default_factory=dict)  # hour of the sound that is done -> peak


@dataclass(frozen=True)
class Progress:
    """The state of the progress line at one time, in seconds."""

    wall_s: float
    processor_s: float
    sound_s: float


@dataclass
class Samples:
    """The samples that were taken while the command ran."""

    memory: dict[int, Memory] = field(default_factory=dict)
    progress: list[Progress] = field(default_factory=list)
    processor_s: float = 0.0  # of all processes, in the last sample

    def sample_memory(self, process: psutil.Process) -> None:
        """Sample the memory of a process and all its descendants."""
        used_s = 0.0
        for descendant in [process, *process.children(recursive=True)]:
            try:
                size, command = descendant.memory_info().rss, descendant.cmdline()
                times = descendant.cpu_times()
            except psutil.Error:
                continue
            memory = self.memory.setdefault(descendant.pid, Memory(" ".join(command[1:4]), size))
            hour = int(self.progress[-1].sound_s // 3600)
            memory.peaks[hour] = max(memory.peaks.get(hour, 0), size)
            used_s += times.user + times.system
        self.processor_s = used_s


def main() -> None:
    """Run the command, and print its speed in each hour and its memory."""
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 3
    pause_s = float(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.flac")
        loop(path, hours * 3600, pause_s)
        samples = transcribe(path, Path(folder))
        words = len((Path(folder) / "long.txt").read_text(encoding="utf-8").split())
    print(f"{hours:g} h of sound, {words} words, {samples.progress[-1].wall_s:.0f} s")
    for hour in range(int(hours)):
        first, last = progress_at(samples, hour * 3600), progress_at(samples, (hour + 1) * 3600)
        elapsed_s = last.wall_s - first.wall_s
        print(
            f"hour {hour + 1}: {elapsed_s:.0f} s, {3600 / elapsed_s:.2f} x real time, "
            f"{last.processor_s - first.processor_s:.0f} s of processors"
        )
    for memory in samples.memory.values():
        peaks = ", ".join(f"{peak / 1e6:.0f}" for _, peak in sorted(memory.peaks.items()))
        print(f"{memory.name:50} start {memory.start / 1e6:4.0f} MB, peak by hours {peaks} MB")


def loop(path: Path, seconds: float, pause_s: float) -> None:
    """Write the recordings and a pause, repeated for so many seconds."""
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
    once = path.with_name("once.flac")
    recordings = english_recordings()
    source = ten_minutes(recordings, path.with_name("once.wav")) if recordings else SAMPLE
    pad = ("-af", f"apad=pad_dur={pause_s}") if pause_s else ()
    subprocess.run([*ffmpeg, "-i", str(source), *pad, str(once)], check=True)
    repeat = ("-stream_loop", "-1", "-i", str(once), "-t", str(seconds))
    subprocess.run([*ffmpeg, *repeat, str(path)], check=True)
    once.unlink()


def transcribe(path: Path, folder: Path) -> Samples:
    """Run the command line on a pseudo-terminal of its own, and take samples."""
    parent_fd, child_fd = pty.openpty()
    command = [sys.executable, "-m", "voxgate", "transcribe", str(path), "-o", str(folder)]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    process = subprocess.Popen(
        command, stdin=child_fd, stderr=child_fd, stdout=child_fd, env=environ
    )
    os.close(child_fd)
    samples, start_s, sampled_s, text = Samples(), time.monotonic(), 0.0, ""
    samples.progress.append(Progress(0.0, 0.0, 0.0))
    while data := read_terminal(parent_fd):
        text = (text + data)[-4000:]
        now = time.monotonic() - start_s
        if positions := DONE.findall(text):
            samples.progress.append(Progress(now, samples.processor_s, seconds(positions[-1])))
        if now - sampled_s > 1:
            sampled_s = now
            samples.sample_memory(psutil.Process(process.pid))
    if process.wait() != 0:
        sys.exit(f"the command failed: {text}")
    samples.progress.append(Progress(time.monotonic() - start_s, samples.processor_s, float("inf")))
    return samples


def read_terminal(fd: int) -> str:
    """Return the next output of the terminal; empty at its end."""
    try:
        return os.read(fd, 1 << 16).decode(errors="replace")
    except OSError:  # Linux ends a pseudo-terminal with EIO
        return ""


def seconds(clock: str) -> float:
    """Return `1:02:03` or `02:03` in seconds."""
    total = 0
    for part in clock.split(":"):
        total = total * 60 + int(part)
    return float(total)


def progress_at(samples: Samples, sound_s: float) -> Progress:
    """Return the first progress at which so much sound was finished."""
    return next(progress for progress in samples.progress if progress.sound_s >= sound_s)


if __name__ == "__main__":
    main()
