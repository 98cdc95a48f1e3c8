"""The progress of a recording on a terminal, and the speed of recognition."""

# ruff: noqa: PLC0415 (rich is imported for terminals only)
from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from voxgate.cli.streams import has_terminal, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from voxgate.pipeline.job import JobProgress


class TranscriptionSpeed:
    """The speed of one recording since its first progress, so that start-up is not counted."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None  # seconds of sound, clock
        self.sound_s = 0.0  # recognised since the first progress
        self.wall_s = 0.0  # elapsed since the first progress

    def update(self, done_s: float) -> None:
        """Record that `done_s` seconds of the recording are done now."""
        now = time.monotonic()
        if self._first is None:
            self._first = done_s, now
        self.sound_s, self.wall_s = done_s - self._first[0], now - self._first[1]

    @property
    def times_real_time(self) -> float | None:
        """Seconds of sound per second; None until it is known."""
        return self.sound_s / self.wall_s if self.sound_s > 0 and self.wall_s > 0 else None

    def line(self, status: JobProgress) -> str:
        """Return the position, the speed and the remaining time."""
        speed, total_s = self.times_real_time, status.total_s
        parts = [
            format_clock(status.done_s)
            + (f" of {format_clock(total_s)}" if total_s is not None else "")
        ]
        if speed is not None:
            parts.append(f"{speed:.1f} x real time")
            if total_s is not None:
                parts.append(f"{format_clock(max(0.0, total_s - status.done_s) / speed)} left")
        return ", ".join(parts)


class SpeedSummary:
    """The speed of all recordings of a call, for `--figures`."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._sound_s = self._recognised_s = self._recognising_s = 0.0

    def add(self, duration_s: float, speed: TranscriptionSpeed) -> None:
        """Add a finished recording."""
        self._sound_s += duration_s
        self._recognised_s += speed.sound_s
        self._recognising_s += speed.wall_s

    def sentence(self) -> str:
        """Return the speed of the whole command, and of recognition without its start-up."""
        wall_s = time.monotonic() - self._started
        line = (
            f"{self._sound_s:.1f} s of sound in {wall_s:.1f} s, start-up included: "
            f"{self._sound_s / wall_s:.1f} x real time"
        )
        if self._recognised_s > 0 and self._recognising_s > 0:
            line += f"; {self._recognised_s / self._recognising_s:.1f} x once it recognised"
        return f"{line}."


def format_clock(seconds: float) -> str:
    """Return `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def progress_line(name: str, speed: TranscriptionSpeed) -> Iterator[Callable[[JobProgress], None]]:
    """Yield the callback for every `JobProgress`, which draws a progress line on a terminal."""
    if not has_terminal():
        yield lambda status: speed.update(status.done_s)
        return

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    with Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[line]}", markup=False, table_column=Column(no_wrap=True)),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(printable(name), total=None, line="starting")

        def on_progress(status: JobProgress) -> None:
            speed.update(status.done_s)
            progress.update(
                task,
                completed=status.done_s,
                total=status.total_s,
                line=speed.line(status),
            )

        yield on_progress
