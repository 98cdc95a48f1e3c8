"""Join speech regions into windows that a model takes, full to within seconds, cut at good places.

A model that computes its longest window whatever is in it may be given the sound around the speech
as well: it hears quiet words that the detector missed, and understands better what it hears.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from voxgate.audio.spool import SAMPLE_RATE
from voxgate.audio.vad import SpeechRegion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LONG_PAUSE_S = 3.0
"""A pause that ends a window even if more would fit: models invent words in long silence."""

SEARCH_S = 3.0
"""How far before a full window's end its cut is looked for. A longer search finds longer pauses,
and leaves more of the window empty."""


@dataclass(frozen=True, slots=True)
class Window:
    """Samples [start, end) of the recording that are recognised in one piece."""

    index: int  # in the recording, from 0
    start: int
    end: int
    regions: tuple[SpeechRegion, ...]  # the speech in it
    channel: int = 0  # of the recording, from 1; 0: the mix of all
    pieces: tuple[SpeechRegion, ...] = field(default=(), compare=False)
    """The speech as it can be cut anew, for a model that takes shorter windows."""

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

    Windows are in order and never overlap. Every region is in exactly one window; regions that a
    cut divided are one again where they share a window. A region longer than `window_s` is a defect
    of the detector and raises ValueError. `margin_s` is how much of the sound around the speech a
    window includes on either side, where it fits; at most `long_pause_s`. No window begins before
    the sample `start`.
    """

    def __init__(
        self,
        window_s: float,
        long_pause_s: float = LONG_PAUSE_S,
        margin_s: float = 0.0,
        *,
        start: int = 0,
    ) -> None:
        self._longest = int(window_s * SAMPLE_RATE)
        self._search = round(min(SEARCH_S, window_s / 2) * SAMPLE_RATE)
        self._long_pause = round(long_pause_s * SAMPLE_RATE)
        self._margin = round(min(margin_s, long_pause_s) * SAMPLE_RATE)
        self._end = start  # of the last window
        self._regions: list[SpeechRegion] = []
        self._count = 0

    def feed(self, regions: Iterable[SpeechRegion], settled: int) -> Iterator[Window]:
        """Add regions, and yield the windows that are complete.

        `settled` is the sample before which no further region can begin.
        """
        for region in regions:
            if region.end - region.start > self._longest:
                raise ValueError(f"{region} does not fit into {self._longest} samples")
            if self._regions and region.start - self._regions[-1].end > self._long_pause:
                yield self._close((self._regions[-1].end + region.start) // 2)
            self._regions.append(region)
            while region.end - self._regions[0].start > self._longest:
                yield self._cut()
        if self._regions and settled - self._regions[-1].end > self._long_pause:
            yield self._close(settled)

    def next_start(self, settled: int) -> int:
        """Return the sample before which no further window begins; `settled` is as in `feed`."""
        first = self._regions[0].start if self._regions else settled
        return max(self._end, first - self._margin)

    def finish(self, samples: int) -> Iterator[Window]:
        """Yield the last window of a recording of so many samples, if one is open."""
        if self._regions:
            yield self._close(samples)

    def _cut(self) -> Window:
        """End the window between two of its regions: the last does not fit into it any more."""
        end = self._regions[0].start + self._longest
        fitting = [index for index, region in enumerate(self._regions) if region.end <= end]
        late = [index for index in fitting if self._regions[index].end >= end - self._search]
        best = max(late or fitting[-1:], key=self._quietness)
        kept = self._regions[best + 1 :]
        del self._regions[best + 1 :]
        window = self._close((self._regions[-1].end + kept[0].start) // 2)
        self._regions = kept
        return window

    def _quietness(self, index: int) -> tuple[bool, float, int]:
        """Return what is greater for a better cut after a region: the longest pause, else quiet."""
        region, after = self._regions[index : index + 2]
        if region.cut_db is None:
            return True, after.start - region.end, index
        return False, -region.cut_db, index

    def _close(self, limit: int) -> Window:
        """End the window, whose margin may not go beyond `limit`."""
        pieces, self._regions = tuple(self._regions), []
        regions = _joined(pieces)
        start, end = regions[0].start, regions[-1].end
        spare = self._longest - (end - start)
        before = max(0, min(self._margin, start - self._end, spare // 2))
        after = max(0, min(self._margin, limit - end, spare - before))
        self._count += 1
        self._end = end + after
        return Window(self._count - 1, start - before, self._end, regions, pieces=pieces)


def _joined(regions: Sequence[SpeechRegion]) -> tuple[SpeechRegion, ...]:
    """Return regions in which those that a cut divided are one."""
    starts = [regions[0], *(b for a, b in pairwise(regions) if a.cut_db is None)]
    ends = [*(a for a in regions[:-1] if a.cut_db is None), regions[-1]]
    return tuple(
        SpeechRegion(first.start, last.end, last.cut_db)
        for first, last in zip(starts, ends, strict=True)
    )
