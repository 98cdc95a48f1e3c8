"""`TranscriptJob`: the job whose result is a transcript, and whose pieces are its segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.api.job import Job
from voxgate.transcript.values import Segment, Transcript

if TYPE_CHECKING:
    from voxgate.pipeline.job import FinalPiece
    from voxgate.pipeline.trace import Trace


class TranscriptJob(Job[Transcript, Segment]):
    """The work for a transcript. `language` is the one in which its segments begin."""

    kind = "transcription"

    def __init__(self, id_: str, owner: str | None, trace: Trace) -> None:
        super().__init__(id_, owner, trace)
        self.language: str | None = None
        self._tokens: list[int] = []  # of each segment: see `FinalPiece`

    @property
    def delivered_s(self) -> float:
        """The seconds of the recording whose text was sent to somebody."""
        return max((segment.end for segment in self.pieces[: self.delivered]), default=0.0)

    @property
    def delivered_tokens(self) -> int:
        """The tokens of the windows whose text was sent to somebody, to its end."""
        return sum(self._tokens[: self.delivered])

    def give(self, piece: FinalPiece) -> None:
        """Add segments that are final."""
        self._tokens += piece.tokens
        self.language = piece.language
        self._add(piece.segments)
