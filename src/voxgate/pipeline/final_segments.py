"""`FinalSegments`: the segments of a transcript, each given out when nothing can change it."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from voxgate.transcript.merge import round_times, truncate_segments
from voxgate.transcript.values import JOINT, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.pipeline.window_text import WindowText


class _Held(NamedTuple):
    """A segment that may still change, or that waits for others."""

    window: int  # its index
    segment: Segment
    tokens: int  # those of the window, for its last segment


class FinalSegments:
    """Puts the segments of final windows in one order, and holds back what may still change.

    A segment waits for segments of other channels that may come before it, and, where the text has
    a stop, for the words after it: the stop may begin in it.
    """

    def __init__(self, stops: tuple[str, ...] = ()) -> None:
        self._given = list[Segment]()
        self._held = list[_Held]()
        self._characters = 0  # of the text of those given, with a joint after each
        self._reserve = max(map(len, stops), default=1) - 1

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All that were given out."""
        return tuple(self._given)

    def add(self, text: WindowText) -> None:
        """Add the text of a window that is final. The windows of a channel come in order."""
        last = len(text.segments) - 1
        self._held += [
            _Held(text.window.index, segment, text.tokens if place == last else 0)
            for place, segment in enumerate(text.segments)
        ]

    def give(
        self, frontiers: Mapping[int, float], sound_s: float, *, end: int | None, ended: bool
    ) -> tuple[tuple[Segment, ...], tuple[int, ...]]:
        """Return the segments that are final now and were not before, and the tokens of each.

        A window's tokens are those of its last segment.

        `frontiers` has, for each channel that may have further segments, the time before which none
        begins; `sound_s` are the seconds of decoded sound. `end` is the length in characters of
        the text before a stop, if one was found. `ended` says that no window follows.
        """
        self._held.sort(key=lambda held: (held.segment.start, held.segment.end, held.window))
        ready = list(takewhile(lambda held: _first(held.segment, frontiers), self._held))
        segments = [held.segment for held in ready]
        tokens = [held.tokens for held in ready]
        given = list(segments)
        if end is not None:
            given = list(truncate_segments(segments, end - self._characters))
            tokens = [0] * (len(given) - 1) + [sum(tokens)] if given else []
        elif not ended:
            given = self._before_any_stop(segments)
        used = len(ready) if end is not None else len(given)
        del self._held[:used]
        self._characters += sum(len(segment.text) + len(JOINT) for segment in given)
        rounded = tuple(round_times(segment, sound_s) for segment in given)
        self._given += rounded
        return rounded, tuple(tokens[: len(given)])

    def _before_any_stop(self, segments: list[Segment]) -> list[Segment]:
        """Return the first segments, without those in whose text a stop may begin."""
        left = sum(len(segment.text) + len(JOINT) for segment in segments) - len(JOINT)
        kept = list[Segment]()
        for segment in segments:
            left -= len(segment.text)
            if left < self._reserve:
                break
            kept.append(segment)
            left -= len(JOINT)
        return kept


def _first(segment: Segment, frontiers: Mapping[int, float]) -> bool:
    """Return whether no segment of another channel can come before this one."""
    own = segment.channel or 0
    return all(segment.start < start for channel, start in frontiers.items() if channel != own)
