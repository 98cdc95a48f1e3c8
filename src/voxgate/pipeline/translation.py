"""Translations that are not English: a model may repeat what was said.

Decided here by values alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from voxgate.pipeline.review import named_stretches
from voxgate.transcript.english import may_be_english
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.values import Segment

STRETCH_S: Final = 20.0
"""Text that is judged at once: some fifty words. A single segment says too little."""


def untranslated_notice(segments: Sequence[Segment]) -> Notice | None:
    """Return the notice for stretches of a translation that are not English, if there are any."""
    strange = [
        (stretch[0].start, stretch[-1].end)
        for stretch in _stretches(segments)
        if not may_be_english(" ".join(segment.text for segment in stretch))
    ]
    if not strange:
        return None
    return Notice(
        "untranslated_text",
        f"The text was to be English, and is not: {named_stretches(strange)}. The model may have "
        f"written what was said. Ask again, or ask another model to translate.",
    )


def _stretches(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Return the segments in stretches of `STRETCH_S` or more; a shorter rest is in the last."""
    stretches: list[list[Segment]] = []
    for segment in segments:
        if stretches and stretches[-1][-1].end - stretches[-1][0].start < STRETCH_S:
            stretches[-1].append(segment)
        else:
            stretches.append([segment])
    if stretches[1:] and stretches[-1][-1].end - stretches[-1][0].start < STRETCH_S:
        rest = stretches.pop()
        stretches[-1] += rest
    return stretches
