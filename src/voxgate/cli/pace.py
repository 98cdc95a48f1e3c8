"""How fast it goes, in seconds of sound per second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxgate.pipeline.run import Standing


class Pace:
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

    def line(self, standing: Standing) -> str:
        """How far it has come, how fast it goes and how long it will take."""
        speed, total_s = self.times_real_time, standing.total_s
        parts = [clock(standing.done_s) + (f" of {clock(total_s)}" if total_s is not None else "")]
        if speed is not None:
            parts.append(f"{speed:.1f} x real time")
            if total_s is not None:
                parts.append(f"{clock(max(0.0, total_s - standing.done_s) / speed)} left")
        return ", ".join(parts)


class Figures:
    """What `--figures` prints: all recordings of a call together."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._sound_s = self._recognised_s = self._recognising_s = 0.0

    def add(self, duration_s: float, pace: Pace) -> None:
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


def clock(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    minutes, seconds_ = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds_:02}" if hours else f"{minutes}:{seconds_:02}"
