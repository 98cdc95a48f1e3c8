"""A window whose text goes round in a loop: found, and marked if it cannot be recognised otherwise.

Decided here by values alone; the recogniser recognises again. A second text may replace a first one
or fill its holes only if it is trusted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.pipeline.review import clock
from voxgate.transcript.repetition import repeated
from voxgate.transcript.values import REPEATS, Notice

if TYPE_CHECKING:
    from voxgate.pipeline.review import Placed


def loop(placed: Placed) -> str | None:
    """Return what a window's text says again and again (see `repeated`), or None.

    A text that its engine doubts was decoded again there, in every way that the model has.
    """
    _, segments = placed
    if any(segment.doubt for segment in segments):
        return None
    return repeated(" ".join(segment.text for segment in segments))


def trusted(placed: Placed) -> bool:
    """Return whether a second text has words, of which neither its engine nor we doubt any."""
    recognised, segments = placed
    doubted = any(segment.doubt for segment in segments) or any(
        notice.code == "doubtful_text" for notice in recognised.notices
    )
    return bool(segments) and not doubted and loop(placed) is None


def marked_loop(placed: Placed, unit: str) -> Placed:
    """Return the window with its text marked as a loop, in which `unit` comes again and again."""
    recognised, segments = placed
    what = f"'{unit}' again and again" if unit else "much the same again and again"
    sentence = (
        f"From {clock(recognised.window.start_s)} to {clock(recognised.window.end_s)} the text "
        f"says {what}, which may not have been said. Listen there."
    )
    notices = (*recognised.notices, Notice("doubtful_text", sentence))
    marked = tuple(replace(segment, doubt=REPEATS) for segment in segments)
    return replace(recognised, notices=notices), marked
