"""Divide timed words into segments, at pauses and at the ends of sentences."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

from voxgate.transcript.text import ends_sentence
from voxgate.transcript.values import Segment, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.values import TimeSource

WrittenWord: TypeAlias = tuple[str, Word]
"""A word as its text has it, with the space before it, and with its times."""

PAUSE_S = 0.8  # between words: a segment ends there


def divide_words(words: Sequence[WrittenWord]) -> list[Segment]:
    """Return the segments of consecutive words.

    A segment's times come from where those of most of its words come from.
    """
    groups: list[list[WrittenWord]] = []
    for text, word in words:
        if not groups or _parts(groups[-1][-1], (text, word)):
            groups.append([])
        groups[-1].append((text, word))
    return [_segment(group) for group in groups]


def _parts(before: WrittenWord, after: WrittenWord) -> bool:
    if after[1].start - before[1].end >= PAUSE_S:
        return True
    return ends_sentence(before[0].strip(), after[0].strip())


def _segment(group: Sequence[WrittenWord]) -> Segment:
    words = tuple(word for _, word in group)
    sources: list[TimeSource] = [word.time_source for word in words]
    known = [word.confidence for word in words if word.confidence is not None]
    return Segment(
        text="".join(text for text, _ in group).strip(),
        start=words[0].start,
        end=words[-1].end,
        words=words,
        confidence=fmean(known) if known else None,
        time_source=max(sources, key=sources.count),
    )
