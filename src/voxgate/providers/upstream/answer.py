"""`UpstreamAnswer`: what an upstream said of a window, and the segments that are made of it.

No time of it is trusted. Times are clipped to the window, and what has no time stays text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from voxgate.errors import UpstreamError
from voxgate.transcript.language import parse_language
from voxgate.transcript.merge import place_segments
from voxgate.transcript.segment_words import with_words
from voxgate.transcript.text import joined, one_line
from voxgate.transcript.values import Notice, Segment, Word

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_PER_S = 50
"""Words or segments in a second of sound: nobody speaks a fifth of that."""

FEW = 100  # of them, in any sound

UNKNOWN = math.nan
"""A time that an answer does not have."""

TOLERANCE_S = 1.0
"""How far outside of the sound a stretch of speech may lie before a notice says so."""

LONGEST_LANGUAGE = 40  # characters of a name

Timed = TypeVar("Timed", Segment, Word)

_CODE = re.compile(r"[a-z]{2,3}")


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    """An answer as it was sent. Times are relative to the window, unchecked, and may be `UNKNOWN`.

    `text` is all of it, `segments` and `words` what it has of them.
    """

    text: str
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()
    language: str | None = None  # its code, or its name in English
    tokens: int = 0  # that the model wrote; 0 where it counts none
    model: str | None = None  # that answered, where it is named
    confidence: float | None = None  # of the whole text

    @property
    def language_code(self) -> str | None:
        """The code of the language; None for what names none."""
        if not self.language or len(self.language) > LONGEST_LANGUAGE:
            return None
        code = parse_language(self.language)
        return code if code and _CODE.fullmatch(code) else None


def fit(
    answer: UpstreamAnswer, upstream: str, duration_s: float
) -> tuple[list[Segment], list[Notice]]:
    """Return the answer's segments with its words, in order and inside the window's sound.

    Segments keep their text, wherever their times are; words without a usable time are left out,
    because text can be timed again. Without segments, the text is one. Raises `UpstreamError` for
    more words than anybody could say.
    """
    most = FEW + MOST_PER_S * duration_s
    for kind, count in (("segments", len(answer.segments)), ("words", len(answer.words))):
        if count > most:
            raise UpstreamError(
                f"{upstream} found {count:,} {kind} in {duration_s:.1f} s of sound. Try again, or "
                f"ask for another model: nobody speaks so fast."
            )
    known = [_on_one_line(word) for word in answer.words if _known(word)]
    words = sorted((w for w in known if _inside(w, duration_s)), key=lambda word: word.start)
    if answer.segments and all(map(_known, answer.segments)):
        segments = sorted(map(_on_one_line, answer.segments), key=lambda segment: segment.start)
    else:
        segments = _one_segment(answer, words, duration_s)
    timed: list[Segment | Word] = [*segments, *known]
    outside = [each for each in timed if not _inside(each, duration_s)]
    notices = [_clipped(upstream, duration_s)] if outside else []
    placed = place_segments(segments, 0.0, duration_s)
    spoken = with_words(placed, words) if placed else []
    return list(place_segments(spoken, 0.0, duration_s)), notices


def _one_segment(answer: UpstreamAnswer, words: list[Word], duration_s: float) -> list[Segment]:
    """Return the whole text as one segment, from its first word to its last if it has words."""
    text = one_line(answer.text) or one_line(joined(_texts(answer)))
    if words:
        start, end = words[0].start, max(word.end for word in words)
        return [Segment(text, start, end, confidence=answer.confidence)]
    whole = Segment(text, 0.0, duration_s, confidence=answer.confidence)
    return [replace(whole, time_source="interpolated")]


def _texts(answer: UpstreamAnswer) -> Iterable[str]:
    parts: tuple[Segment | Word, ...] = answer.segments or answer.words
    return (part.text.strip() for part in parts)


def _on_one_line(timed: Timed) -> Timed:
    """Return it without control characters, which a terminal would obey."""
    return replace(timed, text=one_line(timed.text))


def _known(timed: Segment | Word) -> bool:
    return math.isfinite(timed.start) and math.isfinite(timed.end)


def _inside(timed: Segment | Word, duration_s: float) -> bool:
    return timed.end >= -TOLERANCE_S and timed.start <= duration_s + TOLERANCE_S


def _clipped(upstream: str, duration_s: float) -> Notice:
    return Notice(
        "clipped_times",
        f"{upstream} gave times outside of the {duration_s:.1f} s of sound that it was sent. The "
        f"text is complete, and these times are estimated.",
    )
