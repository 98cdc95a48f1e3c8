"""The words of a recording as a model reads them, and up to where it has read them.

Each paragraph begins with its time, `[0:12:30]`: a summary can then say when something was said,
and a notice up to where the words were read. Without times there would be no minutes of a meeting.
They cost 10 tokens of Voxtral for the 150 of a paragraph of 600 characters, so not each segment has
one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from voxgate.answers.values import PARAGRAPH, TextPart
from voxgate.transcript.paragraphs import clock, paragraphs
from voxgate.transcript.text import joined, one_line
from voxgate.transcript.turns import channel_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.values import Segment, Transcript

NO_SPEECH = "(Nobody speaks in this recording.)"

_TIME = re.compile(r"^\[(\d+:\d\d:\d\d)\]", re.MULTILINE)


def words_as_parts(transcript: Transcript) -> tuple[TextPart, ...]:
    """Return the parts of a message that stand for a recording: its words may be cut, no others."""
    text = PARAGRAPH.join(
        _paragraph(segments, transcript.channel_names)
        for segments in paragraphs(transcript.segments)
    )
    length = clock(transcript.duration)
    return (
        TextPart(f"Transcript of a recording of {length}:"),
        TextPart(text, may_be_cut=True) if text else TextPart(NO_SPEECH),
        TextPart("(End of the transcript.)"),
    )


def read_until(words: str, unread: int) -> str:
    """Return the time of the last paragraph that was read, of words without their end."""
    times = _TIME.findall(words[: len(words) - unread])
    return times[-1] if times else clock(0.0)


def _paragraph(segments: Sequence[Segment], names: Sequence[str]) -> str:
    first = segments[0]
    speaker = "" if first.channel is None else f"{channel_name(first.channel, names)}: "
    text = one_line(joined(segment.text for segment in segments))
    return f"[{clock(first.start)}] {speaker}{text}"
