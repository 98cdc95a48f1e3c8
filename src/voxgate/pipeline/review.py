"""Speech that was left without words, and is recognised once more.

A model decides about each window alone, and the detector may show that it left out speech. That is
decided here by values alone; the recogniser recognises again what is named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from voxgate.audio.spool import SAMPLE_RATE
from voxgate.audio.vad import SpeechRegion
from voxgate.transcript.values import Notice, Segment, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.audio.windows import Window
    from voxgate.pipeline.window import RecognisedWindow

Placed: TypeAlias = tuple["RecognisedWindow", tuple[Segment, ...]]
"""A window, and its segments on the recording's timeline."""

HOLE_S = 1.5
"""Speech without a word, padding included. A hesitation is shorter."""

REST_S = 0.5
"""What is left of a region before or after a word: its padding, and an error in the word's time."""

DETECTABLE_S = 5.0
"""Speech in which a language can be detected: it may be another one than that around it."""

TIMES_TOLD = 5


@dataclass(frozen=True, slots=True)
class Hole:
    """Speech without words, as a window of its own, and the language to expect there."""

    window: Window
    language: str | None  # None: detect it


def holes(placed: Placed, times: str, main: str | None) -> list[Hole]:
    """Return the stretches of a window in which speech was found and nothing was recognised.

    `times` are those of the model. Without times, only a window without text is a hole. `main` is
    the language of the recording, as far as known.
    """
    recognised, segments = placed
    window = recognised.window
    spans = [(window.start, window.end)] if times == "none" and segments else _spans(segments)
    edges = [(window.start, window.start), *spans, (window.end, window.end)]
    found = list[Hole]()
    for (_, start), (end, _) in pairwise(edges):
        regions = _within(window.regions, start, end)
        speech_s = sum(region.end - region.start for region in regions) / SAMPLE_RATE
        if speech_s >= HOLE_S:
            hole = replace(window, start=regions[0].start, end=regions[-1].end, regions=regions)
            expected = recognised.language if segments else main
            found.append(Hole(hole, expected if speech_s < DETECTABLE_S else None))
    return found


def without_repeats(again: Placed, placed: Placed) -> Placed:
    """Return the text of a hole without its window's words beside it, if it repeats them.

    The time of a word may be wrong, so that its sound lies in the hole: it would be said twice.
    """
    recognised, segments = again
    words = [word for segment in placed[1] for word in segment.words]
    before = [word for word in words if word.start < recognised.window.start_s]
    after = [word for word in words if word.start >= recognised.window.end_s - REST_S]
    kept = list(segments)
    if kept and before and _same(kept[0].words[:1], before[-1:]):
        kept[0] = _without_first(kept[0])
    if kept and after and _same(kept[-1].words[-1:], after[:1]):
        kept[-1] = _without_last(kept[-1])
    return recognised, tuple(segment for segment in kept if segment.text)


def untranscribed_notice(windows: Sequence[Window]) -> Notice:
    """Return the notice for stretches of speech, at least one, that stay without words."""
    where = named_stretches([(each.start_s, each.end_s) for each in windows])
    return Notice(
        "untranscribed_speech",
        f"Something that sounds like speech has no words: {where}. Listen there.",
    )


def named_stretches(times_s: Sequence[tuple[float, float]]) -> str:
    """Return stretches of a recording, at least one, as sentences name them: the first of many."""
    told = [f"{clock(start_s)} to {clock(end_s)}" for start_s, end_s in times_s[:TIMES_TOLD]]
    more = f" and {len(times_s) - TIMES_TOLD} more times" if len(times_s) > TIMES_TOLD else ""
    return f"{', '.join(told)}{more}"


def _spans(segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """Return the samples of each word, or of a segment that has none."""
    timed = [span for segment in segments for span in (segment.words or (segment,))]
    return [(round(span.start * SAMPLE_RATE), round(span.end * SAMPLE_RATE)) for span in timed]


def _within(regions: Sequence[SpeechRegion], start: int, end: int) -> tuple[SpeechRegion, ...]:
    """Return the parts of the regions that lie in [start, end), without short rests."""
    parts = [SpeechRegion(max(each.start, start), min(each.end, end)) for each in regions]
    return tuple(part for part in parts if part.end - part.start >= REST_S * SAMPLE_RATE)


def _same(some: Sequence[Word], others: Sequence[Word]) -> bool:
    return [_bare(word.text) for word in some] == [_bare(word.text) for word in others]


def _bare(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def _without_first(segment: Segment) -> Segment:
    text = segment.text.removeprefix(segment.words[0].text).strip()
    start = segment.words[1].start if segment.words[1:] else segment.end
    return replace(segment, text=text, words=segment.words[1:], start=start)


def _without_last(segment: Segment) -> Segment:
    text = segment.text.removesuffix(segment.words[-1].text).strip()
    end = segment.words[-2].end if segment.words[1:] else segment.start
    return replace(segment, text=text, words=segment.words[:-1], end=end)


def clock(seconds: float) -> str:
    """Return a time as sentences for people name it: `1:02.5`."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"
