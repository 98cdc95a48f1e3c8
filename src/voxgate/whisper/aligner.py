"""Times for the words of any text: where each is said in a window, whoever wrote the text.

A word is aligned in its spoken form, by the decoder's attention and the sound's own edges. What
cannot be placed is interpolated between its placed neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import fmean
from typing import TYPE_CHECKING

from voxgate.transcript.align import spread_words
from voxgate.transcript.values import Word
from voxgate.whisper.edges import RATE, SoundEdges
from voxgate.whisper.model import FRAME_S, MAX_TOKENS
from voxgate.whisper.spelled_words import SpelledWord, spelled_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.division import WrittenWord
    from voxgate.transcript.spans import Span
    from voxgate.whisper.model import Encoded, Whisper

SAMPLE_BYTES = 2
MAX_TEXT_TOKENS = MAX_TOKENS - 6  # the start, `no_timestamps`, a period and the end take six
MAX_TOKENS_PER_S = 100  # nobody speaks faster, in any script: such a text was not said here
MIN_PROBABILITY = 1e-6  # of a word: words that another model misheard have 1e-5, and a place
MIN_LOG_PROBABILITY = -5.0  # mean of a text's tokens: below it, and with words without a place,
# the text was not said. One that was said has 0 to -5 and places for all, hard takes included.


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the attention sees a word, in seconds of the window, and how likely it is there."""

    start: float
    end: float
    probability: float


def align_text(
    model: Whisper,
    encoded: Encoded,
    pcm16: bytes,
    text: str,
    language: str,
    *,
    limit: int = MAX_TEXT_TOKENS,
) -> list[WrittenWord]:
    """Return each word of a text with its times in the window; none for a text without words.

    `encoded` is a batch of this one window. The written words joined give the text. The times are
    in order, do not overlap and lie within the window. A text of more than `limit` tokens is
    aligned piece by piece.
    """
    words = spelled_words(model.tokenizer(language), text, language)
    if not words:
        return []
    places = list[_Place | None]()
    tokens = sum(len(word.all_tokens) for word in words)
    if tokens <= max(1.0, _seconds(pcm16)) * MAX_TOKENS_PER_S:
        places = _places(model, encoded, pcm16, words, language, limit=limit)
    places += [None] * (len(words) - len(places))
    return _timed([word.text for word in words], places, pcm16)


def _places(
    model: Whisper,
    encoded: Encoded,
    pcm16: bytes,
    words: Sequence[SpelledWord],
    language: str,
    *,
    limit: int,
) -> list[_Place | None]:
    """Align piece by piece: each begins in the sound where the words before it have ended."""
    places, begin_s = list[_Place | None](), 0.0
    while len(places) < len(words):
        piece = _first_piece(words[len(places) :], limit)
        sound = pcm16[round(begin_s * RATE) * SAMPLE_BYTES :]
        if not piece or _seconds(sound) < FRAME_S:
            break
        if begin_s:
            encoded = model.encode([model.features(sound)])
        found = _align_piece(model, encoded, _seconds(sound), piece, language)
        places += [place and _later(place, begin_s) for place in found]
        last = next((place for place in reversed(found) if place), None)
        if last is None:
            break
        begin_s += last.end
    return places


def _first_piece(words: Sequence[SpelledWord], limit: int) -> list[SpelledWord]:
    piece, tokens = list[SpelledWord](), 0
    for word in words:
        tokens += len(word.all_tokens)
        if tokens > limit:
            break
        piece.append(word)
    return piece


def _align_piece(
    model: Whisper, encoded: Encoded, duration_s: float, words: Sequence[SpelledWord], language: str
) -> list[_Place | None]:
    """Return the places of words; None for one without a frame, or in the last frame."""
    tokens = [token for word in words for token in word.all_tokens]
    if not words[-1].after:  # the end is found better after a period
        tokens += model.tokenizer(language).encode(".")
    alignment = model.align(encoded, tokens, duration_s, language)
    starts, probabilities = alignment.starts, alignment.probabilities
    places, at = list[_Place | None](), 0
    for word in words:
        first = at + len(word.before)
        end = first + len(word.tokens)
        place = _Place(starts[first], starts[end], fmean(probabilities[first:end]))
        is_placed = place.start < min(place.end, duration_s - FRAME_S)
        places.append(place if is_placed else None)
        at += len(word.all_tokens)
    likelihood = fmean(math.log(max(each, 1e-9)) for each in probabilities)
    if None in places and likelihood < MIN_LOG_PROBABILITY:
        return [None] * len(words)
    return places


def _later(place: _Place, seconds: float) -> _Place:
    return replace(place, start=place.start + seconds, end=place.end + seconds)


def _timed(
    texts: Sequence[str], places: Sequence[_Place | None], pcm16: bytes
) -> list[WrittenWord]:
    """Fit the places to the sound, and interpolate the words without a likely one."""
    edges = SoundEdges(pcm16)
    fitted = iter(edges.fit([(place.start, place.end) for place in places if place]))
    words = list[Word | None]()
    for text, place in zip(texts, places, strict=True):
        start, end = next(fitted) if place else (0.0, 0.0)
        is_likely = place is not None and place.probability >= MIN_PROBABILITY and start < end
        words.append(
            Word(text.strip(), start, end, place.probability, "aligned")
            if place is not None and is_likely
            else None
        )
    written = [text.strip() for text in texts]
    return list(zip(texts, _interpolated(written, words, edges.heard), strict=True))


def _interpolated(texts: Sequence[str], words: Sequence[Word | None], heard: Span) -> list[Word]:
    """Return every word; those that are None are spread between their neighbours."""
    complete = list[Word]()
    for missing, group in groupby(words, key=lambda word: word is None):
        run = list(group)
        if not missing:
            complete += [word for word in run if word is not None]
            continue
        first, end = len(complete), len(complete) + len(run)
        following = words[end] if end < len(words) else None
        limit = heard[1] if following is None else following.start
        start = complete[-1].end if complete else min(heard[0], limit)
        spans = spread_words(texts[first:end], start, max(start, limit))
        complete += [
            Word(text, *span, time_source="interpolated")
            for text, span in zip(texts[first:end], spans, strict=True)
        ]
    return complete


def _seconds(pcm16: bytes) -> float:
    return len(pcm16) / SAMPLE_BYTES / RATE
