"""The beginning of a transcript: its segments up to so many characters of the joined text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.transcript.interpolate import timed_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voxgate.transcript.values import Segment, Word


def beginning(segments: Iterable[Segment], characters: int) -> tuple[Segment, ...]:
    """The segments whose joined text is the first `characters` of `Transcript.text`.

    Space at the new end is dropped. A segment that is cut loses the words that begin after the cut
    and ends with the last word that is left; a word that is cut through keeps its beginning.
    """
    kept: list[Segment] = []
    for segment in segments:
        if segment.text:
            if characters <= 0:
                break
            kept.append(_shortened(segment, characters))
            characters -= len(segment.text) + 1  # the space that joins
    return tuple(segment for segment in kept if segment.text)


def _shortened(segment: Segment, characters: int) -> Segment:
    text = segment.text[:characters].rstrip()
    if text == segment.text:
        return segment
    words = _left(timed_words(segment), segment.text, len(text))
    end = max(segment.start, words[-1].end) if words else segment.end
    return replace(segment, text=text, end=end, words=tuple(words) if segment.words else ())


def _left(words: Iterable[Word], text: str, characters: int) -> list[Word]:
    """The words within the first `characters` of the text, or nearly those where they differ."""
    left: list[Word] = []
    position = 0
    for word in words:
        at = max(text.find(word.text, position), position)
        if at >= characters:
            break
        left.append(replace(word, text=word.text[: characters - at]))
        position = at + len(word.text)
    return left
