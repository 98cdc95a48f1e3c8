"""The progress of a recording on a terminal, and the speed of recognition."""

# ruff: noqa: PLC0415 (rich is imported for terminals only)
from __future__ import annotations

import math
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.cli.streams import has_terminal
from voxgate.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from voxgate.client.request import UploadProgress
    from voxgate.pipeline.job import JobProgress

NAME_WIDTH, BAR_WIDTH = 24, 10  # with the line of a recording of hours in 80 columns

PHASES = {"loading": "loading the model", "sent": "recognising"}
"""How phases are written, where not by their names."""


class TranscriptionSpeed:
    """The state of one recording, and its speed since the model began, without start-up."""

    def __init__(
        self, phase: str = "starting", clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`phase` is what a recording waits for before its first progress."""
        self._clock = clock
        self._phase, self._phase_began = phase, clock()
        self._first: tuple[float, float] | None = None  # seconds of sound, clock
        self._status: JobProgress | None = None
        self._upload: UploadProgress | None = None  # while the recording is sent to a server
        self.sound_s = 0.0  # recognised since the model began
        self.wall_s = 0.0  # from when the model began to the last progress

    def update(self, status: JobProgress | UploadProgress) -> None:
        """Record how much of the recording is done now."""
        now = self._clock()
        if status.phase != self._phase:
            self._phase, self._phase_began = status.phase, now
        self._upload = status if status.phase == "sending" else None
        if status.phase == "sending" or status.phase == "sent":  # noqa: PLR1714 (mypy narrows)
            return
        self._status = status
        if status.phase != "recognising":
            return
        if self._first is None:
            self._first = status.done_s, now
        self.sound_s, self.wall_s = status.done_s - self._first[0], now - self._first[1]

    @property
    def times_real_time(self) -> float | None:
        """Seconds of sound per second until now; None until it is known.

        It falls while the position stands still: a model may recognise several windows together.
        """
        wall_s = self._clock() - self._first[1] if self._first else 0.0
        return self.sound_s / wall_s if self.sound_s > 0 and wall_s > 0 else None

    def line(self) -> str:
        """Return the position, the speed and the remaining time, by the speed until now.

        Before a speed is known, it is the phase and its time: a position would not move. While the
        recording is sent to a server, it is how much of its file was sent.
        """
        speed, status = self.times_real_time, self._status
        if self._upload is not None:
            return f"sending {_of_all(self._upload)}"
        if status is None or speed is None:
            waited = format_clock(self._clock() - self._phase_began)
            line = f"{PHASES.get(self._phase, self._phase)} {waited}"
            total_s = status.total_s if status else None
            return line if total_s is None else f"{line}, {format_clock(total_s)} of sound"
        position, total_s = format_clock(status.done_s), status.total_s
        if total_s is None or status.done_s > total_s:  # a header may state too little
            return f"{position}, {speed:.1f} x real time"
        line = f"{position} of {format_clock(total_s)}, {speed:.1f} x"
        if status.done_s == total_s:  # some windows may be recognised once more
            return f"{line}, finishing"
        return f"{line}, {format_clock(math.ceil((total_s - status.done_s) / speed))} left"


class SpeedSummary:
    """How much sound the recordings of a call have, and how fast they were transcribed."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._sound_s = self._recognised_s = self._recognising_s = 0.0

    def add(self, duration_s: float, speed: TranscriptionSpeed) -> None:
        """Add a finished recording."""
        self._sound_s += duration_s
        self._recognised_s += speed.sound_s
        self._recognising_s += speed.wall_s

    def totals(self) -> str:
        """Return how much sound was transcribed, and in what time."""
        elapsed = format_clock(time.monotonic() - self._started)
        return f"{format_clock(self._sound_s)} of sound in {elapsed}"

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


def _of_all(upload: UploadProgress) -> str:
    from voxgate.hardware.memory import format_bytes

    return f"{format_bytes(upload.sent)} of {format_bytes(upload.total)}"


@contextmanager
def progress_line(
    name: str, speed: TranscriptionSpeed, place: str = ""
) -> Iterator[Callable[[JobProgress | UploadProgress], None]]:
    """Yield the callback for every progress, which draws a progress line on a terminal.

    `place` is that of the recording in the call, which stands before its name.
    """
    if not has_terminal():
        yield speed.update
        return

    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
    from rich.table import Column
    from rich.text import Text

    class LineColumn(ProgressColumn):
        """The state at each refresh, since a phase may take long without any progress."""

        def render(self, task: Task) -> Text:  # noqa: ARG002 (there is one)
            return Text(speed.line(), no_wrap=True)

    with Progress(
        SpinnerColumn(),
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", max_width=NAME_WIDTH),
        ),
        BarColumn(bar_width=BAR_WIDTH),
        LineColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(place + printable(Path(name).name or name), total=None)

        def on_progress(status: JobProgress | UploadProgress) -> None:
            speed.update(status)
            if status.phase == "sending" or status.phase == "sent":  # noqa: PLR1714 (mypy narrows)
                return
            # Without a total the bar moves back and forth, as it should before there is a speed.
            total_s = None if speed.times_real_time is None else status.total_s
            progress.update(task, completed=status.done_s, total=total_s)

        yield on_progress
