"""Plain text for people: one line for each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.text import one_line
from voxgate.transcript.turns import turn_marks

if TYPE_CHECKING:
    from voxgate.transcript.values import Transcript


def write(transcript: Transcript) -> str:
    """Return one line for each segment; the empty string for a transcript without words.

    Where another channel speaks, the line begins with a dash, or with the channel's name.
    """
    spoken = [segment for segment in transcript.segments if one_line(segment.text)]
    marks = turn_marks([segment.channel for segment in spoken], transcript.channel_names)
    return "".join(
        f"{mark}{one_line(segment.text)}\n" for segment, mark in zip(spoken, marks, strict=True)
    )
