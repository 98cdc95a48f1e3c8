"""Tab-separated values with whole milliseconds, as openai-whisper writes them.

Its three columns are followed by `channel`, its number or name, where the channels were recognised
one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.text import one_line
from voxgate.transcript.turns import channel_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.values import Segment, Transcript

HEADINGS = ("start", "end", "text", "channel")


def write(transcript: Transcript) -> str:
    """Return a header and a row for each segment. Tabs and line ends in text become spaces."""
    split = any(segment.channel is not None for segment in transcript.segments)
    names = transcript.channel_names
    rows = [HEADINGS, *(_row(segment, names) for segment in transcript.segments)]
    width = len(HEADINGS) if split else len(HEADINGS) - 1
    return "".join("\t".join(row[:width]) + "\n" for row in rows)


def _row(segment: Segment, names: Sequence[str]) -> tuple[str, ...]:
    start, end, channel = round(segment.start * 1000), round(segment.end * 1000), segment.channel
    named = channel_name(channel, names) if names and channel else str(channel or "")
    return str(start), str(end), one_line(segment.text), named
