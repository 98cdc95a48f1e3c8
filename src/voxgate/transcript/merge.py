"""Join the segments of windows to one transcript on one timeline, and cut transcripts short.

A provider's times are only hints. For any input, the resulting times are monotone and lie inside
the window and the recording. No word is lost, even if its time is unusable.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from voxgate.transcript.align import timed_words
from voxgate.transcript.spans import monotone
from voxgate.transcript.text import joined, one_line
from voxgate.transcript.values import Segment, Transcript, Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from voxgate.transcript.spans import Span
    from voxgate.transcript.values import Notice, Segment, Task, Word


Timed = TypeVar("Timed", "Segment", "Word")


def place_segments(
    segments: Sequence[Segment], start_s: float, end_s: float
) -> tuple[Segment, ...]:
    """Move one window's segments, timed relative to it, onto the recording's timeline.

    The window is [start_s, end_s] on that timeline, in seconds. The segments keep the provider's
    order. Every segment and word is clipped to the window and starts no earlier than the previous
    one ends. A segment is widened to include its words before it is clipped, so that its words
    always lie inside it. Segments with neither text nor words are left out.
    """
    return fit_segments([_moved(segment, start_s) for segment in segments], start_s, end_s)


def join_segments(
    segments: Iterable[Segment],
    *,
    duration: float,
    model: str,
    language: str | None,
    notices: Iterable[Notice],
    revision: str | None = None,
    profile: str | None = None,
    task: Task = "transcribe",
    language_probability: float | None = None,
) -> Transcript:
    """Join the segments of all windows, in any order, to one transcript.

    The segments come from `place_segments`; their times are rounded to milliseconds here, where
    nothing is computed from them any more. `duration` is in seconds of decoded sound. `model`,
    `revision` and `profile` describe the model that produced them. A notice of several windows is
    kept once.
    """
    # A window's last segment may have length zero, at the time where the first segment of the next
    # window starts. The sort by end puts it first.
    in_order = sorted(segments, key=lambda segment: (segment.start, segment.end))
    return Transcript(
        segments=tuple(
            round_times(segment, duration) for segment in fit_segments(in_order, 0.0, duration)
        ),
        duration=duration,
        model=model,
        language=language,
        notices=tuple(dict.fromkeys(notices)),
        revision=revision,
        profile=profile,
        task=task,
        language_probability=language_probability,
    )


def of_channel(segments: Iterable[Segment], channel: int | None) -> tuple[Segment, ...]:
    """Return the segments and their words as those of a channel."""
    return tuple(
        replace(
            segment,
            channel=channel,
            words=tuple(replace(word, channel=channel) for word in segment.words),
        )
        for segment in segments
    )


def fit_segments(segments: Iterable[Segment], floor: float, ceiling: float) -> tuple[Segment, ...]:
    """Return the segments in their order within [floor, ceiling], in seconds.

    Those of each channel do not overlap. Segments with neither text nor words are left out.
    """
    kept = [trimmed for segment in segments if (trimmed := _trimmed(segment)).text]
    spans: dict[int, Span] = {}
    for channel in {segment.channel for segment in kept}:
        own = [place for place, segment in enumerate(kept) if segment.channel == channel]
        fitting = monotone([_envelope(kept[place]) for place in own], floor, ceiling)
        spans |= dict(zip(own, fitting, strict=True))
    return tuple(_retimed(segment, spans[place]) for place, segment in enumerate(kept))


def _moved(segment: Segment, offset_s: float) -> Segment:
    return replace(
        segment,
        start=segment.start + offset_s,
        end=segment.end + offset_s,
        words=tuple(
            replace(word, start=word.start + offset_s, end=word.end + offset_s)
            for word in segment.words
        ),
    )


def _trimmed(segment: Segment) -> Segment:
    """Remove surrounding space and empty words. A segment without text gets that of its words."""
    words = tuple(
        replace(word, text=word.text.strip()) for word in segment.words if one_line(word.text)
    )
    text = segment.text.strip() if one_line(segment.text) else joined(word.text for word in words)
    return replace(segment, text=text, words=words)


def _envelope(segment: Segment) -> Span:
    timed: tuple[Segment | Word, ...] = (segment, *segment.words)
    return min(span.start for span in timed), max(span.end for span in timed)


def _retimed(segment: Segment, span: Span) -> Segment:
    start, end = span
    times = monotone([(word.start, word.end) for word in segment.words], start, end)
    words = tuple(
        replace(word, start=time[0], end=time[1])
        for word, time in zip(segment.words, times, strict=True)
    )
    return replace(segment, start=start, end=end, words=words)


def round_times(segment: Segment, duration: float) -> Segment:
    """Round all times to milliseconds, the last ones down: they lie within the recording.

    `duration` is in seconds.
    """
    last = round(duration, 3)
    last = last if last <= duration else round(last - 0.001, 3)

    def milliseconds(timed: Timed) -> Timed:
        start, end = min(round(timed.start, 3), last), min(round(timed.end, 3), last)
        return replace(timed, start=start, end=end)

    return replace(milliseconds(segment), words=tuple(map(milliseconds, segment.words)))


def truncate_segments(segments: Iterable[Segment], characters: int) -> tuple[Segment, ...]:
    """Return the segments whose joined text is the first `characters` of `Transcript.text`.

    Space at the new end is removed. A shortened segment loses the words that start after the cut,
    and it ends with its last remaining word. A word across the cut keeps its first characters.
    """
    kept: list[Segment] = []
    for segment in segments:
        if segment.text:
            if characters <= 0:
                break
            kept.append(_shortened(segment, characters))
            characters -= len(segment.text) + 1  # the space between two segments
    return tuple(segment for segment in kept if segment.text)


def _shortened(segment: Segment, characters: int) -> Segment:
    text = segment.text[:characters].rstrip()
    if text == segment.text:
        return segment
    words = _words_within(timed_words(segment), segment.text, len(text))
    end = max(segment.start, words[-1].end) if words else segment.end
    return replace(segment, text=text, end=end, words=tuple(words) if segment.words else ())


def _words_within(words: Iterable[Word], text: str, characters: int) -> list[Word]:
    """Return the words within the first `characters` of the text.

    The result is approximate where the words differ from the text.
    """
    remaining: list[Word] = []
    position = 0
    for word in words:
        at = max(text.find(word.text, position), position)
        if at >= characters:
            break
        remaining.append(replace(word, text=word.text[: characters - at]))
        position = at + len(word.text)
    return remaining
