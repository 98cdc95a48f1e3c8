"""Windows: speech regions joined into pieces that a model takes, cut where nobody speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.audio.spool import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from voxgate.audio.vad import SpeechRegion

LONG_PAUSE_S = 3.0
"""A pause that ends a window although more would fit: models invent words in long silence."""


@dataclass(frozen=True, slots=True)
class Window:
    """Samples [start, end) of the recording, to be recognised in one piece."""

    index: int  # windows of a recording count from 0
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
    """Regions in, windows of at most `window_s` seconds out, as soon as nothing can join them.

    Windows are in order and never overlap; every region lies in exactly one. A region longer than
    `window_s` is the detector's fault and raises ValueError.
    """

    def __init__(self, window_s: float, long_pause_s: float = LONG_PAUSE_S) -> None:
        self._longest = int(window_s * SAMPLE_RATE)
        self._long_pause = round(long_pause_s * SAMPLE_RATE)
        self._open: list[SpeechRegion] = []
        self._count = 0

    def feed(self, regions: Iterable[SpeechRegion], settled: int) -> Iterator[Window]:
        """Take the next regions; `settled` is the sample before which none can begin any more."""
        for region in regions:
            if region.end - region.start > self._longest:
                raise ValueError(f"{region} does not fit into {self._longest} samples")
            if self._open and not self._fits(region):
                yield self._close()
            self._open.append(region)
        if self._open and settled - self._open[-1].end > self._long_pause:
            yield self._close()

    def finish(self) -> Iterator[Window]:
        """The last window, if one is open."""
        if self._open:
            yield self._close()

    def _fits(self, region: SpeechRegion) -> bool:
        return (
            region.end - self._open[0].start <= self._longest
            and region.start - self._open[-1].end <= self._long_pause
        )

    def _close(self) -> Window:
        regions, self._open = tuple(self._open), []
        self._count += 1
        return Window(self._count - 1, regions[0].start, regions[-1].end, regions)
