"""Words where the provider timed none: guesses between a segment's two times, marked as such."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from voxgate.transcript.values import Word
from voxgate.transcript.writing import units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.timeline import Span
    from voxgate.transcript.values import Segment


def timed_words(segment: Segment) -> tuple[Word, ...]:
    """The segment's own words, or else those of its text, spread over it.

    Each gets time in proportion to its characters, `time_source="interpolated"` and no confidence.
    Text in a script without spaces (Chinese, Japanese, Thai …) is divided into the smallest parts
    that a line may be broken between, mostly single characters, which is finer than words.
    """
    if segment.words:
        return segment.words
    texts = units(segment.text)
    return tuple(
        Word(text, start, end, time_source="interpolated")
        for text, (start, end) in zip(texts, spread(texts, segment.start, segment.end), strict=True)
    )


def spread(texts: Sequence[str], start: float, end: float) -> list[Span]:
    """Adjoining spans that fill [start, end], in seconds, in proportion to the texts' lengths."""
    total = sum(map(len, texts))
    # `min`: a rounding error in the last place must not leave the segment.
    edges = [min(end, start + (end - start) * done / total) for done in accumulate(map(len, texts))]
    return list(pairwise([start, *edges[:-1], end])) if texts else []
