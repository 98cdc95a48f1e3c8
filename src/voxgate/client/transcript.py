"""A server's `verbose_json` as a canonical `Transcript`: the inverse of the writer of that name.

Any OpenRouter-compatible server's will do. Where it says less than Voxgate does, less is known:
without `time_source` a time counts as recognised, and text without segments is one segment. Words
that were guessed between a segment's two times are left out: who needs them guesses again. Those in
a `speech_region` are kept, because a model without times has them here, too.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from voxgate.client.untrusted import Untrusted
from voxgate.transcript.assemble import join, place
from voxgate.transcript.values import Notice, Segment, TimeSource, Transcript, Word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_SOURCES: dict[str, TimeSource] = {source: source for source in get_args(TimeSource)}
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_].*)?", re.IGNORECASE | re.DOTALL)


def transcript(members: Mapping[str, Any], *, model: str) -> Transcript:
    """Read a transcript that answers for `model`. Raises `ServerError` for what is odd in it.

    Times that overlap, run backwards or leave the recording are put right, as those of every
    provider are; it is the order of reading that is trusted.
    """
    body = Untrusted(members)
    text = body.text("text")
    words = [_word(item) for item in body.objects("words")]
    known = [word for word in words if word.time_source != "interpolated"]
    segments = [_segment(item) for item in body.objects("segments")]
    duration = _duration(body, [*segments, *known])
    placed = place(segments, 0.0, duration)
    spoken = _with_words(placed, words) if placed else [_whole(text, known, duration)]
    checkpoint = body.object("voxgate")
    return join(
        place(spoken, 0.0, duration),
        duration=duration,
        model=body.text("model") if body.has("model") else model,
        language=_language(body),
        notices=[
            Notice(item.text("code"), item.text("sentence")) for item in body.objects("warnings")
        ],
        revision=checkpoint.text("revision") if checkpoint.has("revision") else None,
        profile=checkpoint.text("profile") if checkpoint.has("profile") else None,
    )


def _duration(body: Untrusted, timed: Sequence[Segment | Word]) -> float:
    """Seconds of sound; without a figure, until the last word that was heard."""
    if body.has("duration") or not timed:
        duration = body.number("duration")
        if duration < 0:
            raise body.odd("duration", "is below zero")
        return duration
    return max(0.0, *(item.end for item in timed))


def _segment(item: Untrusted) -> Segment:
    return Segment(
        text=item.text("text"),
        start=item.number("start"),
        end=item.number("end"),
        confidence=_confidence(item),
        time_source=_time_source(item),
    )


def _word(item: Untrusted) -> Word:
    return Word(
        text=item.text("word"),
        start=item.number("start"),
        end=item.number("end"),
        confidence=_confidence(item),
        time_source=_time_source(item),
    )


def _confidence(item: Untrusted) -> float | None:
    if not item.has("confidence"):
        return None
    confidence = item.number("confidence")
    if not 0 <= confidence <= 1:
        raise item.odd("confidence", "is not between 0 and 1")
    return confidence


def _time_source(item: Untrusted) -> TimeSource:
    if not item.has("time_source"):
        return "recognised"
    source = _SOURCES.get(item.text("time_source"))
    if source is None:
        raise item.odd("time_source", f"is none of {', '.join(_SOURCES)}")
    return source


def _language(body: Untrusted) -> str | None:
    """The ISO 639 code; None for a name, as Whisper's hosts give it ("english")."""
    match = _LANGUAGE.fullmatch(body.text("language")) if body.has("language") else None
    return match[1].lower() if match else None


def _whole(text: str, words: Sequence[Word], duration: float) -> Segment:
    """Text that came without segments: from the first word to the last, or all of the sound."""
    if words:
        start, end = min(word.start for word in words), max(word.end for word in words)
        return Segment(text, start, end, tuple(words))
    return Segment(text, 0.0, duration, time_source="interpolated")


def _with_words(segments: Sequence[Segment], words: Sequence[Word]) -> list[Segment]:
    """The segments, which are in order, each with the words that it holds, guesses apart."""
    held: list[list[Word]] = [[] for _ in segments]
    ends = [segment.end for segment in segments]
    for word in words:
        holder = _holder(word, segments, ends)
        if word.time_source != "interpolated" or segments[holder].time_source == "speech_region":
            held[holder].append(word)
    return [replace(segment, words=tuple(its)) for segment, its in zip(segments, held, strict=True)]


def _holder(word: Word, segments: Sequence[Segment], ends: Sequence[float]) -> int:
    """Which segment holds the word's middle, or comes nearest to it.

    A word without length may lie where segments meet: then it is of the one that has its text.
    """
    middle = (word.start + word.end) / 2
    first = min(bisect_left(ends, middle), len(ends) - 1)
    for index in range(first, len(segments)):
        if segments[index].start > middle:
            break
        if word.text.strip() in segments[index].text:
            return index
    if first and segments[first].start - middle > middle - ends[first - 1]:
        return first - 1
    return first
