"""Tab-separated values with whole milliseconds, as openai-whisper writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.text import one_line

if TYPE_CHECKING:
    from voxgate.transcript.values import Segment, Transcript


def write(transcript: Transcript) -> str:
    """Return a header and a row for each segment. Tabs and line ends in text become spaces."""
    return "".join(["start\tend\ttext\n", *map(_row, transcript.segments)])


def _row(segment: Segment) -> str:
    start, end = round(segment.start * 1000), round(segment.end * 1000)
    return f"{start}\t{end}\t{one_line(segment.text)}\n"
