"""`with_words`: gives a list of words to the segments that they were spoken in, by their times.

Servers send words beside segments, not inside them.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.values import Segment, Word


def with_words(segments: Sequence[Segment], words: Sequence[Word]) -> list[Segment]:
    """Return the segments, ordered by time and not overlapping, with the words of their channels.

    Interpolated words are left out, because they can be interpolated again when needed. In a
    `speech_region` they are kept, because a local transcript has them there, too.
    """
    placed: dict[int, Segment] = {}
    for channel in {segment.channel for segment in segments}:
        places = [place for place, each in enumerate(segments) if each.channel == channel]
        spoken = [word for word in words if word.channel == channel]
        own = _of_one_channel([segments[place] for place in places], spoken)
        placed |= dict(zip(places, own, strict=True))
    return [placed[place] for place in range(len(segments))]


def _of_one_channel(segments: Sequence[Segment], words: Sequence[Word]) -> list[Segment]:
    words_of: list[list[Word]] = [[] for _ in segments]
    ends = [segment.end for segment in segments]
    for word in words:
        index = _segment_index(word, segments, ends)
        if word.time_source != "interpolated" or segments[index].time_source == "speech_region":
            words_of[index].append(word)
    return [
        replace(segment, words=tuple(own)) for segment, own in zip(segments, words_of, strict=True)
    ]


def _segment_index(word: Word, segments: Sequence[Segment], ends: Sequence[float]) -> int:
    """Return the index of the segment that contains the word's middle or is nearest to it.

    A word of length zero may lie where two segments meet. Then the segment with its text is used.
    """
    middle = (word.start + word.end) / 2
    first = min(bisect_left(ends, middle), len(ends) - 1)
    for index in range(first, len(segments)):
        if segments[index].start > middle:
            break
        if word.text.strip() in segments[index].text:
            return index
    if first and segments[first].start - middle > middle - ends[first - 1]:
        return first - 1
    return first
