"""`Position`: how much of a recording is recognised, whatever the order of its windows."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.audio.windows import Window


class Position:
    """Counts seconds of a recording that are recognised or known to contain no speech.

    An engine recognises several windows together, and the later ones may be done first: the first
    that is not done says too little. Of channels that are recognised each by itself it is the mean.
    """

    def __init__(self) -> None:
        self._windows: dict[int, Window] = {}  # by index: those that are not finished
        self._done_s: dict[int, float] = {}  # of each of these windows
        self._reached_s = 0.0

    @property
    def unfinished(self) -> bool:
        """Whether a window is expected."""
        return bool(self._windows)

    def expect(self, window: Window) -> None:
        """Add a window of which nothing is recognised."""
        self._windows[window.index] = window
        self._done_s[window.index] = 0.0

    def move(self, window: Window, done_s: float) -> None:
        """Say how much of a window is recognised; never less than before, if it is begun anew."""
        if window.index in self._windows:
            length_s = window.end_s - window.start_s
            self._done_s[window.index] = min(max(self._done_s[window.index], done_s), length_s)

    def finish(self, window: Window) -> None:
        """Remove a window: all of it is done."""
        del self._windows[window.index], self._done_s[window.index]

    def seconds(self, divided_s: Mapping[int, float]) -> float:
        """Return the position, which never falls.

        `divided_s` says for each channel up to where its speech is in windows.
        """
        if divided_s:
            open_s = fsum(
                window.end_s - window.start_s - self._done_s[index]
                for index, window in self._windows.items()
            )
            done_s = (fsum(divided_s.values()) - open_s) / len(divided_s)
            self._reached_s = max(self._reached_s, done_s)
        return self._reached_s
