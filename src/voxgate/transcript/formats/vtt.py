"""WebVTT subtitles, the format of browsers (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.captions.layout import layout_captions
from voxgate.transcript.formats.clock import format_timestamp

if TYPE_CHECKING:
    from voxgate.transcript.captions.layout import Caption
    from voxgate.transcript.values import Transcript

# Because `>` is escaped, the text cannot contain the arrow that separates the times.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def write(transcript: Transcript) -> str:
    """Return the header and the captions; only the header for a transcript without words."""
    return "\n".join(["WEBVTT\n", *(_cue(caption) for caption in layout_captions(transcript))])


def _cue(caption: Caption) -> str:
    text = "\n".join(caption.lines).translate(_ESCAPES)
    return (
        f"{format_timestamp(caption.start, '.')} --> {format_timestamp(caption.end, '.')}\n{text}\n"
    )
