"""Plain text, for people: one segment a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.text import one_line

if TYPE_CHECKING:
    from voxgate.transcript.values import Transcript


def write(transcript: Transcript) -> str:
    """One segment a line; the empty string, without a newline, when nothing was said."""
    lines = (one_line(segment.text) for segment in transcript.segments)
    return "".join(f"{line}\n" for line in lines if line)
