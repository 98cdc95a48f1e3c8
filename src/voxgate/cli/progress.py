"""One line of progress on a terminal, gone when the recording is done."""

# ruff: noqa: PLC0415 (rich is imported where somebody watches)
from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from voxgate.cli.streams import has_terminal, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from voxgate.pipeline.job import JobProgress


# MERGED cli.pace
# How fast it goes, in seconds of sound per second.


class TranscriptionSpeed:
    """One recording's pace, counted from the first sign of recognition: start-up is left out."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None  # seconds of sound, clock
        self.sound_s = 0.0  # recognised since the first sign
        self.wall_s = 0.0  # passed since the first sign

    def heard(self, done_s: float) -> None:
        """Note that so much of the recording is done by now."""
        now = time.monotonic()
        if self._first is None:
            self._first = done_s, now
        self.sound_s, self.wall_s = done_s - self._first[0], now - self._first[1]

    @property
    def times_real_time(self) -> float | None:
        """None until something is known."""
        return self.sound_s / self.wall_s if self.sound_s > 0 and self.wall_s > 0 else None

    def line(self, status: JobProgress) -> str:
        """How far it has come, how fast it goes and how long it will take."""
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
    """What `--figures` prints: all recordings of a call together."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._sound_s = self._recognised_s = self._recognising_s = 0.0

    def add(self, duration_s: float, pace: TranscriptionSpeed) -> None:
        """Count a recording that is done."""
        self._sound_s += duration_s
        self._recognised_s += pace.sound_s
        self._recognising_s += pace.wall_s

    def line(self) -> str:
        """The whole command, and recognition without what it takes to get there."""
        wall_s = time.monotonic() - self._began
        line = (
            f"{self._sound_s:.1f} s of sound in {wall_s:.1f} s, start-up included: "
            f"{self._sound_s / wall_s:.1f} x real time"
        )
        if self._recognised_s > 0 and self._recognising_s > 0:
            line += f"; {self._recognised_s / self._recognising_s:.1f} x once it recognised"
        return f"{line}."


def format_clock(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    minutes, seconds_ = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds_:02}" if hours else f"{minutes}:{seconds_:02}"


@contextmanager
def progress_line(name: str, pace: TranscriptionSpeed) -> Iterator[Callable[[JobProgress], None]]:
    """Gives what is to be told of every `JobProgress`; shows it where somebody watches."""
    if not has_terminal():
        yield lambda status: pace.heard(status.done_s)
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
            pace.heard(status.done_s)
            progress.update(
                task,
                completed=status.done_s,
                total=status.total_s,
                line=pace.line(status),
            )

        yield on_progress
