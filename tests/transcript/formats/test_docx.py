"""Documents, as python-docx reads them again."""

from __future__ import annotations

import io

import docx
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.transcript.formats.docx import write
from voxgate.transcript.values import Segment, Transcript


def read(segments: list[Segment], title: str = "Call", names: tuple[str, ...] = ()) -> list[str]:
    """Return the texts of the title and of the paragraphs of a document."""
    transcript = Transcript(tuple(segments), 100.0, "a/b", channel_names=names)
    document = docx.Document(io.BytesIO(write(transcript, title)))
    assert document.core_properties.author == ""
    return [paragraph.text for paragraph in document.paragraphs]


def test_paragraphs_begin_with_their_time_and_end_at_a_pause() -> None:
    segments = [
        Segment("Good morning.", 0.0, 1.0),
        Segment("It is late.", 1.2, 2.0),
        Segment("", 2.0, 2.1),
        Segment("Good night.", 65.0, 66.0),
    ]
    assert read(segments) == [
        "Call",
        "[0:00:00] Good morning. It is late.",
        "[0:01:05] Good night.",
    ]


def test_each_speaker_has_a_paragraph_with_the_name() -> None:
    segments = [
        Segment("Yes.", 0.0, 1.0, channel=1),
        Segment("No.", 1.0, 2.0, channel=2),
        Segment("Ah.", 2.0, 3.0, channel=2),
    ]
    assert read(segments, names=("Ann",)) == [
        "Call",
        "[0:00:00] Ann: Yes.",
        "[0:00:01] Channel 2: No. Ah.",
    ]


def test_a_long_paragraph_ends() -> None:
    segments = [Segment("word " * 60, float(at), at + 1.0) for at in range(10)]
    assert len(read(segments)) == 5


@given(st.text(), st.text())
@settings(max_examples=30, deadline=None)
def test_any_text_is_written(text: str, title: str) -> None:
    read([Segment(text, 0.0, 1.0)], title)


def test_markup_is_text() -> None:
    said = "</w:t><script>alert(1)</script> \x00 &amp;"
    assert read([Segment(said, 0.0, 1.0)])[1] == ("[0:00:00] </w:t><script>alert(1)</script> &amp;")
