"""Plain text for people: one line for each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.text import one_line

if TYPE_CHECKING:
    from voxgate.transcript.values import Transcript


def write(transcript: Transcript) -> str:
    """Return one line for each segment; the empty string for a transcript without words."""
    lines = (one_line(segment.text) for segment in transcript.segments)
    return "".join(f"{line}\n" for line in lines if line)
