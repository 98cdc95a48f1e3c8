"""A server's `verbose_json` as a canonical `Transcript`: the inverse of the writer of that name.

Any OpenRouter-compatible server's will do. Where it says less than Voxgate does, less is known:
without `time_source` a time counts as recognised, and text without segments is one segment. Words
that were guessed between a segment's two times are left out: who needs them guesses again. Those in
a `speech_region` are kept, because a model without times has them here, too.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from voxgate.errors import ServerError
from voxgate.transcript.merge import join_segments, place_segments
from voxgate.transcript.values import Notice, Segment, TimeSource, Transcript, Word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


# `Untrusted`: a JSON object of which nothing is taken for granted.


@dataclass(frozen=True, slots=True)
class Untrusted:
    """An object's members, and where in the answer it stands: "" or "segments[3]".

    Every reader raises a `ServerError` that names the member and what is odd about it. A member
    that is null is taken for a missing one.
    """

    members: Mapping[str, Any]
    place: str = ""

    def has(self, name: str) -> bool:
        """Whether there is anything of that name."""
        return self.members.get(name) is not None

    def text(self, name: str) -> str:
        """A string, which may be empty."""
        value = self._member(name)
        if not isinstance(value, str):
            raise self.odd(name, "is no text")
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._member(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise self.odd(name, "is no number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.odd(name, "is no finite number")
        return number

    def objects(self, name: str) -> list[Untrusted]:
        """A list of objects; empty where it is missing."""
        values = self.members.get(name)
        if values is None:
            return []
        if not isinstance(values, list):
            raise self.odd(name, "is no list")
        found = [
            Untrusted(value, f"{self._path(name)}[{index}]")
            for index, value in enumerate(values)
            if isinstance(value, dict)
        ]
        if len(found) < len(values):
            raise self.odd(name, "holds something that is no object")
        return found

    def object(self, name: str) -> Untrusted:
        """An object; an empty one where it is missing."""
        value = self.members.get(name)
        if value is not None and not isinstance(value, dict):
            raise self.odd(name, "is no object")
        return Untrusted(value or {}, self._path(name))

    def odd(self, name: str, what: str) -> ServerError:
        """The one sentence for an answer that is not understood."""
        return ServerError(
            f"The server's answer cannot be used: '{self._path(name)}' {what}. Check that the "
            f"server's version and this one fit each other."
        )

    def _member(self, name: str) -> Any:
        if not self.has(name):
            raise self.odd(name, "is missing")
        return self.members[name]

    def _path(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name


_SOURCES: dict[str, TimeSource] = {source: source for source in get_args(TimeSource)}
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_].*)?", re.IGNORECASE | re.DOTALL)


def parse_transcript(members: Mapping[str, Any], *, model: str) -> Transcript:
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
    placed = place_segments(segments, 0.0, duration)
    spoken = _with_words(placed, words) if placed else [_whole(text, known, duration)]
    checkpoint = body.object("voxgate")
    return join_segments(
        place_segments(spoken, 0.0, duration),
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
