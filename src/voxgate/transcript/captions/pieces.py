"""The pieces of captions: each word as it is written in the text, with its time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from voxgate.transcript.align import spread_words, timed_words
from voxgate.transcript.spans import monotone
from voxgate.transcript.text import chunks, one_line, spaced, units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from voxgate.transcript.values import Segment


@dataclass(frozen=True, slots=True)
class CaptionPiece:
    """What stays on one line: a word with its punctuation, or a part of one longer than a line."""

    text: str
    start: float  # seconds
    end: float  # seconds, >= start
    spaced: bool  # a space precedes it, unless it starts a line
    opens: bool = False  # it is the first piece of its segment
    in_region: bool = False  # its segment is a detected region of speech with padding


def caption_pieces(segments: Iterable[Segment], duration: float, limit: int) -> list[CaptionPiece]:
    """Return every word once and in order, in pieces of at most `limit` columns.

    The times are monotone and inside the recording of `duration` seconds, even if those of the
    segments are not.
    """
    whole = [piece for segment in segments for piece in _segment_pieces(segment)]
    parts = [part for piece in whole for part in _split_piece(piece, limit)]
    times = monotone([(part.start, part.end) for part in parts], 0.0, duration)
    texts = ["", *(part.text for part in parts)]
    return [
        replace(
            part,
            start=start,
            end=end,
            spaced=spaced(texts[index], part.text) if part.opens else part.spaced,
        )
        for index, (part, (start, end)) in enumerate(zip(parts, times, strict=True))
    ]


def _segment_pieces(segment: Segment) -> Iterator[CaptionPiece]:
    words = [word for word in timed_words(segment) if one_line(word.text)]
    texts = [one_line(word.text) for word in words]
    written = _with_punctuation(texts, one_line(segment.text)) or _with_spaces(texts)
    in_region = segment.time_source == "speech_region"
    pieces = [
        CaptionPiece(text, word.start, word.end, space, index == 0, in_region)
        for index, (word, (text, space)) in enumerate(zip(words, written, strict=True))
    ]
    yield from _whole_units(pieces)


def _whole_units(pieces: Sequence[CaptionPiece]) -> Iterator[CaptionPiece]:
    """Join pieces between which a line may not break.

    What a model has times for may be less than a word: in scripts without spaces it is a token.
    """
    run = list[CaptionPiece]()
    for piece in pieces:
        if piece.spaced and run:
            yield from _joined_run(run)
            run = []
        run.append(piece)
    yield from _joined_run(run)


def _joined_run(run: Sequence[CaptionPiece]) -> Iterator[CaptionPiece]:
    """Yield the pieces of a run without spaces, joined unless one ends where a line may break."""
    breaks = set(accumulate(map(len, units("".join(piece.text for piece in run)))))
    end = 0
    whole: CaptionPiece | None = None
    for piece in run:
        end += len(piece.text.replace(" ", ""))
        whole = (
            piece
            if whole is None
            else replace(whole, text=whole.text + piece.text, end=max(whole.end, piece.end))
        )
        if end in breaks:
            yield whole
            whole = None
    if whole is not None:
        yield whole


def _with_punctuation(words: Sequence[str], text: str) -> list[tuple[str, bool]] | None:
    """Return each word with its punctuation in the text, and whether a space precedes it.

    Several providers give times for bare words and punctuate only the text. Returns None if the
    text has other words than `words`. The timed words are used then.
    """
    found: list[tuple[str, bool]] = []
    position = 0
    for word in words:
        at = text.find(word, position)
        gap = text[position:at]
        if at < 0 or any(map(str.isalnum, gap)):
            return None
        if found:
            before, space, after = gap.rpartition(" ") if " " in gap else (gap, "", "")
            found[-1] = (found[-1][0] + before.rstrip(), found[-1][1])
            found.append((after + word, bool(space)))
        else:
            found.append((gap + word, False))
        position = at + len(word)
    rest = text[position:]
    if not found or any(map(str.isalnum, rest)):
        return None
    found[-1] = (found[-1][0] + rest, found[-1][1])
    return found


def _with_spaces(words: Sequence[str]) -> list[tuple[str, bool]]:
    return [(word, spaced(left, word)) for left, word in zip(["", *words], words, strict=False)]


def _split_piece(piece: CaptionPiece, limit: int) -> list[CaptionPiece]:
    texts = chunks(piece.text, limit)
    return [
        replace(
            piece,
            text=text,
            start=start,
            end=end,
            spaced=piece.spaced and index == 0,
            opens=piece.opens and index == 0,
        )
        for index, (text, (start, end)) in enumerate(
            zip(texts, spread_words(texts, piece.start, piece.end), strict=True)
        )
    ]
