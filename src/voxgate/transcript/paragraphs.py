"""The paragraphs of a transcript, for people and models that read it as a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from voxgate.transcript.values import Segment

PAUSE_S = 2.0  # a longer one begins a paragraph
MAX_CHARACTERS = 600  # after which a paragraph ends with its segment


def paragraphs(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Yield the segments of each paragraph: of one speaker, without a long pause."""
    paragraph: list[Segment] = []
    length = 0
    for segment in segments:
        last = paragraph[-1] if paragraph else segment
        ends = segment.channel != last.channel or segment.start - last.end > PAUSE_S
        if paragraph and (ends or length > MAX_CHARACTERS):
            yield paragraph
            paragraph, length = [], 0
        if one_line(segment.text):
            paragraph.append(segment)
            length += len(segment.text)
    if paragraph:
        yield paragraph


def clock(seconds: float) -> str:
    """Return a time as `0:07:05`."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
