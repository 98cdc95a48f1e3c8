"""A document for word processors: a title, then paragraphs that begin with their time and speaker.

It is bytes, so it is not in the table of formats, whose writers return text.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from voxgate.transcript.paragraphs import clock, paragraphs
from voxgate.transcript.text import joined, one_line
from voxgate.transcript.turns import channel_name

if TYPE_CHECKING:
    from voxgate.transcript.values import Transcript

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
EXTENSION = ".docx"

_NOT_XML = re.compile("[\ufffe\uffff]")  # beside control characters, which no line has


def write(transcript: Transcript, title: str) -> bytes:
    """Return the document. Takes 0.6 s for ten hours of speech: not for the event loop."""
    import docx  # noqa: PLC0415 (only who writes one waits for it)

    document = docx.Document()
    properties = document.core_properties
    # Those of the library's template would else name another author, and another time.
    properties.author, properties.comments, properties.title = "", "", _text(title)[:255]
    document.add_heading(_text(title), level=1)
    for segments in paragraphs(transcript.segments):
        first, paragraph = segments[0], document.add_paragraph()
        paragraph.add_run(f"[{clock(first.start)}] ").italic = True
        if first.channel is not None:
            name = channel_name(first.channel, transcript.channel_names)
            paragraph.add_run(f"{_text(name)}: ").bold = True
        paragraph.add_run(_text(joined(segment.text for segment in segments)))
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", one_line(text))
