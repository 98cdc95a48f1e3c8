"""SubRip subtitles, the format that every player reads.

The format has no standard and no escapes. `-->` separates the times, so in the text it becomes the
character U+2192. Text that looks like markup (`<i>`) is not changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.captions.layout import layout_captions
from voxgate.transcript.formats.clock import format_timestamp

if TYPE_CHECKING:
    from voxgate.transcript.captions.layout import Caption
    from voxgate.transcript.values import Transcript


def write(transcript: Transcript) -> str:
    """Return captions numbered from 1; the empty string for a transcript without words."""
    return "\n".join(
        _cue(number, caption) for number, caption in enumerate(layout_captions(transcript), start=1)
    )


def _cue(number: int, caption: Caption) -> str:
    text = "\n".join(caption.lines).replace("-->", "\N{RIGHTWARDS ARROW}")
    start, end = format_timestamp(caption.start, ","), format_timestamp(caption.end, ",")
    return f"{number}\n{start} --> {end}\n{text}\n"
