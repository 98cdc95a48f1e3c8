"""WebVTT subtitles, the format of browsers (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.captions.layout import layout_captions
from voxgate.transcript.formats.clock import format_timestamp

if TYPE_CHECKING:
    from voxgate.transcript.captions.layout import Caption
    from voxgate.transcript.values import Transcript

# With `>` escaped, the arrow that separates the times cannot stand in the text.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def write(transcript: Transcript) -> str:
    """Captions after the header, which stands alone when nothing was said."""
    return "\n".join(["WEBVTT\n", *(_cue(caption) for caption in layout_captions(transcript))])


def _cue(caption: Caption) -> str:
    text = "\n".join(caption.lines).translate(_ESCAPES)
    return (
        f"{format_timestamp(caption.start, '.')} --> {format_timestamp(caption.end, '.')}\n{text}\n"
    )
