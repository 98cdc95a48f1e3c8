"""Times from another model: the text of a window, aligned with its sound."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from opentelemetry.trace import get_current_span

from voxgate import tracing
from voxgate.errors import VoxgateError
from voxgate.pipeline.dispatch import MAX_ATTEMPTS
from voxgate.transcript.text import encodable, joined
from voxgate.transcript.values import FailureNotice, Segment

if TYPE_CHECKING:
    from collections.abc import Hashable

    from voxgate.audio.spool import Audio
    from voxgate.pipeline.route import SharedProvider
    from voxgate.pipeline.window import RecognisedWindow


class RecordingAligner:
    """Aligns the windows of one recording, until it fails: then the rest keeps its own times."""

    def __init__(self, aligner: SharedProvider, language: str | None, tenant: Hashable) -> None:
        """`language` is that of the recording; None, or one it does not know: it is detected."""
        self._provider, self._queue = aligner.provider, aligner.queue
        known = self._provider.capabilities.languages
        self._language = language if language in known else None
        self._tenant = tenant
        self._failed = False

    async def align(self, recognised: RecognisedWindow, audio: Audio) -> RecognisedWindow:
        """Return the window with the times of its words, or as it was.

        It stays as it was without text, and where no word of its text could be placed. The text
        and its confidence are always those of the model that recognised it.
        """
        text = joined(segment.text for segment in recognised.segments if segment.text)
        if self._failed or not text:
            return recognised
        try:
            async with self._queue.slot(self._tenant, audio.duration_s):
                segments = await self._attempts(audio, encodable(text))
        except VoxgateError as error:
            self._failed = True
            tracing.mark_failed(get_current_span(), error)
            notice = not_aligned(error)
            return replace(recognised, notices=(*recognised.notices, notice))
        words = [word for segment in segments for word in segment.words]
        if not any(word.time_source == "aligned" for word in words):
            return recognised
        confidence = _confidence(recognised)
        placed = tuple(replace(segment, confidence=confidence) for segment in segments)
        return replace(recognised, segments=placed)

    async def _attempts(self, audio: Audio, text: str) -> list[Segment]:
        """Return the aligned segments. Raise the error of the last attempt."""
        language = self._language
        for attempts_left in reversed(range(MAX_ATTEMPTS)):
            try:
                return [
                    event
                    async for event in self._provider.align(audio, text, language)
                    if isinstance(event, Segment)
                ]
            except VoxgateError as error:
                if not error.retryable or not attempts_left:
                    raise
        return []


def not_aligned(error: VoxgateError) -> FailureNotice:
    """Return the notice for times that are not those of an aligner, because it failed."""
    estimated = "The times of words are estimated, because they could not be aligned:"
    return FailureNotice(
        "not_aligned", f"{estimated} {error.sentence}", f"{estimated} {error.public_sentence}"
    )


def _confidence(recognised: RecognisedWindow) -> float | None:
    known = [each.confidence for each in recognised.segments if each.confidence is not None]
    return fmean(known) if known else None
