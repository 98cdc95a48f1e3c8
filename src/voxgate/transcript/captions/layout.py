"""The layout of captions: easily readable subtitles from the transcript of any model.

A caption has at most 2 lines of 42 characters and lasts 1 to 7 seconds, close to what Netflix's
Timed Text Style Guide requires (42 characters, 5/6 to 7 s). Characters are counted, not
columns: a wide East Asian one counts as one. Captions end where sentences end, else at pauses, else
at commas, else so that their lengths are equal. They never overlap, lie inside the recording, and
contain every word once and in order.

When the limits contradict each other, only the shortest time is violated. If there is less than a
second for each caption, the captions share the available time: for 200 characters in a recording of
one second, three captions get a third of a second each. A single word that lasts longer than 7 s is
shown for its first 7 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.transcript.captions.cuts import CaptionLimits, cut_captions
from voxgate.transcript.captions.pieces import caption_pieces
from voxgate.transcript.text import ends_clause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.captions.pieces import CaptionPiece
    from voxgate.transcript.values import Transcript

CAPTION_LIMITS = CaptionLimits(line_chars=42, shortest_s=1.0, longest_s=7.0)

_CLAUSE_CHARS = 12  # a break at a comma is worth this difference of line lengths


@dataclass(frozen=True, slots=True)
class Caption:
    """One or two lines of text, shown from `start` to `end`."""

    start: float  # seconds
    end: float  # seconds, >= start
    lines: tuple[str, ...]


def layout_captions(transcript: Transcript) -> tuple[Caption, ...]:
    """Return the transcript's captions in order; none for a transcript without words."""
    cues = cut_captions(
        caption_pieces(transcript, CAPTION_LIMITS.line_chars), transcript.duration, CAPTION_LIMITS
    )
    starts = _starts([cue[0].start for cue in cues], transcript.duration)
    until = [*starts, transcript.duration][1:]
    return tuple(
        Caption(start, _end(cue[-1].end, start, limit), _lines(cue))
        for cue, start, limit in zip(cues, starts, until, strict=True)
    )


def _starts(spoken: Sequence[float], duration: float) -> list[float]:
    """Return the time at which each caption appears, in seconds.

    A caption appears when its first word is spoken, except within a dense group: a run of captions
    in which each but the last is spoken less than a second before the next. A group has the time
    until the caption after it, and no caption outside the group is moved. A group with less than a
    second before its end, e.g. at the end of the recording, also includes earlier captions.
    """
    starts = list(spoken)
    until, last = duration, len(spoken)
    while last > 0:
        first = last - 1
        while first > 0 and (
            spoken[first] - spoken[first - 1] < CAPTION_LIMITS.shortest_s
            or until - spoken[first] < CAPTION_LIMITS.shortest_s
        ):
            first -= 1
        # Only the first caption can still have less than a second. There may be silence before it.
        begin = min(spoken[first], max(0.0, until - CAPTION_LIMITS.shortest_s))
        starts[first:last] = _spread_out([begin, *spoken[first + 1 : last]], until)
        until, last = spoken[first], first
    return starts


def _spread_out(spoken: Sequence[float], until: float) -> list[float]:
    """Move the starts of a dense group later, then earlier, no more than each one's share needs."""
    share = min(CAPTION_LIMITS.shortest_s, (until - spoken[0]) / len(spoken))
    starts = list(spoken)
    for index in range(1, len(starts)):
        starts[index] = max(starts[index], starts[index - 1] + share)
    for index in reversed(range(1, len(starts))):
        starts[index] = max(starts[0], min(starts[index], until - share))
        until = starts[index]
    return starts


def _end(spoken: float, start: float, limit: float) -> float:
    return min(
        max(spoken, start + CAPTION_LIMITS.shortest_s), start + CAPTION_LIMITS.longest_s, limit
    )


def _lines(cue: Sequence[CaptionPiece]) -> tuple[str, ...]:
    """Return one line, or else two of similar length, split at a space if possible."""
    line = _line(cue)
    if len(line) <= CAPTION_LIMITS.line_chars:
        return (line,)
    fitting = [index for index in range(1, len(cue)) if _fits(cue, index)]
    best = min(fitting, key=lambda index: (not cue[index].spaced, _imbalance(cue, index)))
    return _line(cue[:best]), _line(cue[best:])


def _fits(cue: Sequence[CaptionPiece], index: int) -> bool:
    return max(len(_line(cue[:index])), len(_line(cue[index:]))) <= CAPTION_LIMITS.line_chars


def _imbalance(cue: Sequence[CaptionPiece], index: int) -> int:
    difference = abs(len(_line(cue[:index])) - len(_line(cue[index:])))
    return difference - _CLAUSE_CHARS * ends_clause(cue[index - 1].text)


def _line(run: Sequence[CaptionPiece]) -> str:
    text = "".join(f" {piece.text}" if piece.spaced else piece.text for piece in run)
    return text.strip()
