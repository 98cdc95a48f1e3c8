"""The layout of captions: easily readable subtitles from the transcript of any model.

A caption has at most 2 lines of 42 columns and lasts 1 to 7 seconds, close to what Netflix's Timed
Text Style Guides require (42 characters, 5/6 to 7 s). A wide East Asian character takes two
columns; a line has at most 13 of them in Japanese, 16 in Chinese and Korean, as the guides for
these languages say, and 21 where the language is not known. Captions end where sentences end, else
at pauses, else at commas, else so that their lengths are equal. They never overlap, lie inside the
recording, and contain every word once and in order.

Each channel that is recognised by itself has captions of its own. Only those of different channels
may overlap: players show both. A dash, or its name, begins the captions of another party than
before.

A line of a caption that is mostly written from right to left begins with a character of that
direction. Else a player that takes the direction from the line's first letter would show its
punctuation at the wrong end where a line begins with a Latin word.

When the limits contradict each other, only the shortest time is violated. If there is less than a
second for each caption, the captions share the available time: for 200 characters in a recording of
one second, three captions get a third of a second each. A single word that lasts longer than 7 s is
shown for its first 7 s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from unicodedata import bidirectional

from voxgate.transcript.captions.cuts import CaptionLimits, cut_captions
from voxgate.transcript.captions.pieces import caption_pieces
from voxgate.transcript.text import columns, ends_clause
from voxgate.transcript.turns import mark_columns, turn_marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from voxgate.transcript.captions.pieces import CaptionPiece
    from voxgate.transcript.values import Transcript

CAPTION_LIMITS = CaptionLimits(line_columns=42, shortest_s=1.0, longest_s=7.0)
LINE_COLUMNS = {"ja": 26, "zh": 32, "yue": 32, "ko": 32}
"""Of languages whose lines are shorter."""

_CLAUSE_COLUMNS = 12  # a break at a comma is worth this difference of line lengths
_RIGHT_TO_LEFT_MARK = "\u200f"


@dataclass(frozen=True, slots=True)
class Caption:
    """One or two lines of text, shown from `start` to `end`."""

    start: float  # seconds
    end: float  # seconds, >= start
    lines: tuple[str, ...]
    channel: int | None = None  # of the recording, from 1; None: its channels were mixed


def layout_captions(transcript: Transcript) -> tuple[Caption, ...]:
    """Return the captions in the order of their starts; none for a transcript without words."""
    written = "en" if transcript.task == "translate" else transcript.language or ""
    width = LINE_COLUMNS.get(written, CAPTION_LIMITS.line_columns)
    names = transcript.channel_names
    channels = list(dict.fromkeys(segment.channel for segment in transcript.segments))
    captions = [
        caption
        for channel in channels
        for caption in _channel_captions(
            transcript, channel, width - mark_columns(channel, channels, names)
        )
    ]
    captions.sort(key=lambda caption: caption.start)
    marks = turn_marks([caption.channel for caption in captions], names)
    return tuple(_marked(caption, mark) for caption, mark in zip(captions, marks, strict=True))


def _channel_captions(transcript: Transcript, channel: int | None, width: int) -> Iterator[Caption]:
    """Yield the captions of one channel, which do not overlap, in order."""
    duration = transcript.duration
    segments = [segment for segment in transcript.segments if segment.channel == channel]
    limits = replace(CAPTION_LIMITS, line_columns=width)
    cues = cut_captions(caption_pieces(segments, duration, width), duration, limits)
    starts = _starts([cue[0].start for cue in cues], duration)
    until = [*starts, duration][1:]
    for cue, start, limit in zip(cues, starts, until, strict=True):
        yield Caption(start, _end(cue[-1].end, start, limit), _lines(cue, width), channel)


def _marked(caption: Caption, mark: str) -> Caption:
    """Return a caption with the mark of its party, and with its lines' direction."""
    first, *others = caption.lines
    lines = (mark + first, *others)
    return replace(caption, lines=_directed(lines))


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


def _lines(cue: Sequence[CaptionPiece], width: int) -> tuple[str, ...]:
    """Return one line, or else two of similar width, split at a space if possible."""
    line = _line(cue)
    if columns(line) <= width:
        return (line,)
    fitting = [index for index in range(1, len(cue)) if _fits(cue, index, width)]
    best = min(fitting, key=lambda index: (not cue[index].spaced, _imbalance(cue, index)))
    return _line(cue[:best]), _line(cue[best:])


def _fits(cue: Sequence[CaptionPiece], index: int, width: int) -> bool:
    return max(columns(_line(cue[:index])), columns(_line(cue[index:]))) <= width


def _imbalance(cue: Sequence[CaptionPiece], index: int) -> int:
    difference = abs(columns(_line(cue[:index])) - columns(_line(cue[index:])))
    return difference - _CLAUSE_COLUMNS * ends_clause(cue[index - 1].text)


def _line(run: Sequence[CaptionPiece]) -> str:
    text = "".join(f" {piece.text}" if piece.spaced else piece.text for piece in run)
    return text.strip()


def _directed(lines: tuple[str, ...]) -> tuple[str, ...]:
    directions = [bidirectional(character) for character in "".join(lines)]
    leftwards = sum(each in {"R", "AL"} for each in directions)
    if leftwards <= directions.count("L"):
        return lines
    return tuple(line if _is_leftwards(line) else _RIGHT_TO_LEFT_MARK + line for line in lines)


def _is_leftwards(line: str) -> bool:
    """Return whether the first letter is written from right to left: rule P2 of UAX #9."""
    strong = (each for each in map(bidirectional, line) if each in {"L", "R", "AL"})
    return next(strong, "L") != "L"
