"""Join speech regions into windows that a model takes, with cuts only between the regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.audio.spool import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from voxgate.audio.vad import SpeechRegion

LONG_PAUSE_S = 3.0
"""A pause that ends a window even if more would fit: models invent words in long silence."""


@dataclass(frozen=True, slots=True)
class Window:
    """Samples [start, end) of the recording that are recognised in one piece."""

    index: int  # in the recording, from 0
    start: int
    end: int
    regions: tuple[SpeechRegion, ...]  # the speech in it

    @property
    def start_s(self) -> float:
        """Seconds from the recording's beginning."""
        return self.start / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        """Seconds from the recording's beginning."""
        return self.end / SAMPLE_RATE


class WindowPlanner:
    """Joins regions into windows of at most `window_s` seconds, each as soon as it is complete.

    Windows are in order and never overlap. Every region is in exactly one window. A region longer
    than `window_s` is a defect of the detector and raises ValueError.
    """

    def __init__(self, window_s: float, long_pause_s: float = LONG_PAUSE_S) -> None:
        self._longest = int(window_s * SAMPLE_RATE)
        self._long_pause = round(long_pause_s * SAMPLE_RATE)
        self._regions: list[SpeechRegion] = []
        self._count = 0

    def feed(self, regions: Iterable[SpeechRegion], settled: int) -> Iterator[Window]:
        """Add regions, and yield the windows that are complete.

        `settled` is the sample before which no further region can begin.
        """
        for region in regions:
            if region.end - region.start > self._longest:
                raise ValueError(f"{region} does not fit into {self._longest} samples")
            if self._regions and not self._fits(region):
                yield self._close()
            self._regions.append(region)
        if self._regions and settled - self._regions[-1].end > self._long_pause:
            yield self._close()

    def finish(self) -> Iterator[Window]:
        """Yield the last window, if one is open."""
        if self._regions:
            yield self._close()

    def _fits(self, region: SpeechRegion) -> bool:
        return (
            region.end - self._regions[0].start <= self._longest
            and region.start - self._regions[-1].end <= self._long_pause
        )

    def _close(self) -> Window:
        regions, self._regions = tuple(self._regions), []
        self._count += 1
        return Window(self._count - 1, regions[0].start, regions[-1].end, regions)
