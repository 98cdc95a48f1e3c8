"""From PocketSphinx's segmentation to words, and from words to segments."""

from __future__ import annotations

import re
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

from voxgate.transcript.values import Segment, Word

if TYPE_CHECKING:
    from collections.abc import Iterable

FRAMES_PER_S = 100
PAUSE_S = 0.5  # silence that ends a segment
_VARIANT = re.compile(r"\(\d+\)$")  # you're(2): the second pronunciation
_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")  # <s>, <sil>, [NOISE], ++BREATH++


class Stretch(Protocol):
    """What PocketSphinx says of one word: frames are inclusive, `prob` may exceed 1 slightly."""

    word: str
    start_frame: int
    end_frame: int
    prob: float


def words_of(stretches: Iterable[Stretch], duration_s: float) -> list[Word]:
    """Words as they are written, inside of [0, `duration_s`], without silences and noises."""
    return [
        Word(
            text=_VARIANT.sub("", stretch.word),
            start=min(stretch.start_frame / FRAMES_PER_S, duration_s),
            end=min((stretch.end_frame + 1) / FRAMES_PER_S, duration_s),
            confidence=min(max(stretch.prob, 0.0), 1.0),
        )
        for stretch in stretches
        if not _FILLER.fullmatch(stretch.word)
    ]


def segments_of(words: list[Word]) -> tuple[Segment, ...]:
    """Words parted where `PAUSE_S` or more lies between two. Confidence is the words' mean."""
    parts: list[list[Word]] = []
    for word in words:
        if not parts or word.start - parts[-1][-1].end >= PAUSE_S:
            parts.append([])
        parts[-1].append(word)
    return tuple(_segment(part) for part in parts)


def _segment(words: list[Word]) -> Segment:
    return Segment(
        text=" ".join(word.text for word in words),
        start=words[0].start,
        end=words[-1].end,
        words=tuple(words),
        confidence=fmean(word.confidence or 0.0 for word in words),
    )
