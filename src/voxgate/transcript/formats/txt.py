"""Plain text for people: one line for each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.text import one_line
from voxgate.transcript.turns import TURN, turn_starts

if TYPE_CHECKING:
    from voxgate.transcript.values import Transcript


def write(transcript: Transcript) -> str:
    """Return one line for each segment; the empty string for a transcript without words.

    Where another channel speaks, the line begins with a dash.
    """
    turns = turn_starts([segment.channel for segment in transcript.segments])
    lines = [
        (TURN if turn else "") + line
        for segment, turn in zip(transcript.segments, turns, strict=True)
        if (line := one_line(segment.text))
    ]
    return "".join(f"{line}\n" for line in lines)
