"""Tab-separated values with whole milliseconds, as openai-whisper writes them.

Its three columns are followed by `channel` where the channels were recognised one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.text import one_line

if TYPE_CHECKING:
    from voxgate.transcript.values import Segment, Transcript

HEADINGS = ("start", "end", "text", "channel")


def write(transcript: Transcript) -> str:
    """Return a header and a row for each segment. Tabs and line ends in text become spaces."""
    split = any(segment.channel is not None for segment in transcript.segments)
    rows = [HEADINGS, *map(_row, transcript.segments)]
    width = len(HEADINGS) if split else len(HEADINGS) - 1
    return "".join("\t".join(row[:width]) + "\n" for row in rows)


def _row(segment: Segment) -> tuple[str, ...]:
    start, end = round(segment.start * 1000), round(segment.end * 1000)
    return str(start), str(end), one_line(segment.text), str(segment.channel or "")
