"""`EditedTranscript`: a transcript that a page sends to be written as a file, corrections included.

Nothing in it is trusted: types and sizes are checked here, and times are fitted into the recording
as those of any provider are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from voxgate.errors import UsageError
from voxgate.transcript.merge import join_segments, place_segments
from voxgate.transcript.text import one_line
from voxgate.transcript.turns import check_names
from voxgate.transcript.values import Notice, Segment, Task, TimeSource, Transcript, Word

MAX_BYTES = 32 * 2**20
"""Of a transcript in JSON: ten hours have about 8 MB with the times of their words."""

MAX_SEGMENTS = 100_000
MAX_WORDS = 5_000  # of one segment
MAX_S = 7 * 24 * 3600.0

Time: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_S)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Line: TypeAlias = Annotated[str, Meta(max_length=1000)]
Channel: TypeAlias = Annotated[int, Meta(ge=1, le=8)]


class EditedWord(msgspec.Struct, forbid_unknown_fields=True):
    """One word. Those that a reader wrote have no confidence."""

    text: Line
    start: Time
    end: Time
    confidence: Share | None = None
    time_source: TimeSource = "recognised"


class EditedSegment(msgspec.Struct, forbid_unknown_fields=True):
    """One segment with the words whose times are known."""

    text: Annotated[str, Meta(max_length=100_000)]
    start: Time
    end: Time
    words: Annotated[list[EditedWord], Meta(max_length=MAX_WORDS)] = []
    confidence: Share | None = None
    time_source: TimeSource = "recognised"
    channel: Channel | None = None
    doubt: Line | None = None


class EditedNotice(msgspec.Struct, forbid_unknown_fields=True):
    """A warning, as the server told it."""

    code: Line
    sentence: Annotated[str, Meta(max_length=10_000)]


class EditedTranscript(msgspec.Struct, forbid_unknown_fields=True):
    """A whole transcript, and the name of the recording."""

    name: Line
    model: Line
    duration: Time
    segments: Annotated[list[EditedSegment], Meta(max_length=MAX_SEGMENTS)]
    language: Annotated[str, Meta(pattern="^[A-Za-z0-9-]{1,35}$")] | None = None
    task: Task = "transcribe"
    warnings: Annotated[list[EditedNotice], Meta(max_length=1000)] = []
    channel_names: Annotated[list[Line], Meta(max_length=8)] = []

    @classmethod
    def parse(cls, data: bytes | bytearray) -> EditedTranscript:
        """Parse the JSON of a page. Raises `UsageError`. Takes a second for ten hours of speech."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(
                f"This transcript cannot be written: {error}. Load the page again, and repeat the "
                f"download."
            ) from error

    def transcript(self) -> Transcript:
        """Return it in canonical values. Raises `UsageError` for a speaker's name."""
        names = tuple(self.channel_names)
        check_names(names)
        placed = place_segments(list(map(_segment, self.segments)), 0.0, self.duration)
        joined = join_segments(
            placed,
            duration=self.duration,
            model=one_line(self.model),
            language=self.language,
            notices=[Notice(each.code, each.sentence) for each in self.warnings],
            task=self.task,
        )
        return replace(joined, channel_names=names)


def _segment(edited: EditedSegment) -> Segment:
    words = tuple(
        Word(
            one_line(word.text),
            word.start,
            max(word.start, word.end),
            word.confidence,
            word.time_source,
            edited.channel,
        )
        for word in edited.words
    )
    return Segment(
        one_line(edited.text),
        edited.start,
        max(edited.start, edited.end),
        words,
        edited.confidence,
        edited.time_source,
        edited.doubt,
        channel=edited.channel,
    )
