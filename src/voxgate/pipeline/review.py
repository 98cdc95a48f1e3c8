"""What is recognised once more: loops, windows in a strange language, speech that has no words.

A model decides about each window alone. Its text may go round in a loop; the detector may show that
it left out speech, and the window's neighbours that it took it for another language. All is decided
here by values alone; the job recognises again what is named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from voxgate.audio.spool import SAMPLE_RATE
from voxgate.audio.vad import SpeechRegion
from voxgate.pipeline.window import main_language
from voxgate.transcript.repetition import repeated
from voxgate.transcript.values import REPEATS, Notice, Segment, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.audio.windows import Window
    from voxgate.pipeline.window import RecognisedWindow

Placed: TypeAlias = tuple["RecognisedWindow", tuple[Segment, ...]]
"""A window, and its segments on the recording's timeline."""

SURE_LANGUAGE = 0.7
"""The probability from which a window's language is believed against its neighbours. On recordings
of one language, windows of speech have 0.9 and more; those detected wrongly had 0.14 to 0.62."""

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


def stray_windows(placed: Sequence[Placed]) -> dict[int, str]:
    """Return the place of each window that strays in language, and the language to expect there.

    `placed` is in order. A window strays when its language is not that of the windows before and
    after it, or of most of the recording where those differ, and was detected with low probability.
    The first and the last have one neighbour, and do not stray in the language of most.
    """
    spoken = [index for index, (_, segments) in enumerate(placed) if segments]
    languages = {index: placed[index][0].language for index in spoken}
    main, _ = main_language([window for window, segments in placed if segments])
    strays = dict[int, str]()
    for at, index in enumerate(spoken):
        near = [other for other in spoken[max(0, at - 1) : at + 2] if other != index]
        around = {languages[other] for other in near}
        expected = around.pop() if len(around) == 1 else main
        if len(near) == 1 and languages[index] == main:
            continue
        probability = placed[index][0].language_probability
        unsure = probability is not None and probability < SURE_LANGUAGE
        if unsure and expected and expected != languages[index]:
            strays[index] = expected
    return strays


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


def loop(placed: Placed) -> str | None:
    """Return what a window's text says again and again (see `repeated`), or None.

    A text that its engine doubts was decoded again there, in every way that the model has.
    """
    _, segments = placed
    if any(segment.doubt for segment in segments):
        return None
    return repeated(" ".join(segment.text for segment in segments))


def marked_loop(placed: Placed, unit: str) -> Placed:
    """Return the window with its text marked as a loop, in which `unit` comes again and again."""
    recognised, segments = placed
    what = f"'{unit}' again and again" if unit else "much the same again and again"
    sentence = (
        f"From {_clock(recognised.window.start_s)} to {_clock(recognised.window.end_s)} the text "
        f"says {what}, which may not have been said. Listen there."
    )
    notices = (*recognised.notices, Notice("doubtful_text", sentence))
    marked = tuple(replace(segment, doubt=REPEATS) for segment in segments)
    return replace(recognised, notices=notices), marked


def believed(first: Placed, again: Placed) -> bool:
    """Return whether a window's second text, in another language, is as likely as its first."""
    return bool(again[1]) and _confidence(again[1]) >= _confidence(first[1])


def trusted(placed: Placed) -> bool:
    """Return whether the text of a hole is one that the model itself does not doubt."""
    recognised, segments = placed
    return bool(segments) and all(notice.code != "doubtful_text" for notice in recognised.notices)


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


def stray_notice(first: RecognisedWindow, expected: str) -> Notice:
    """Return the notice for a window that was recognised in the language of its neighbours."""
    return Notice(
        "stray_language",
        f"From {_clock(first.window.start_s)} to {_clock(first.window.end_s)} the language was "
        f"taken for '{expected}', as around it; alone it sounds like '{first.language}'. Name the "
        f"language if it is another.",
    )


def untranscribed_notice(windows: Sequence[Window]) -> Notice:
    """Return the notice for stretches of speech, at least one, that stay without words."""
    told = [f"{_clock(each.start_s)} to {_clock(each.end_s)}" for each in windows[:TIMES_TOLD]]
    more = f" and {len(windows) - TIMES_TOLD} more times" if len(windows) > TIMES_TOLD else ""
    return Notice(
        "untranscribed_speech",
        f"Something that sounds like speech has no words: {', '.join(told)}{more}. Listen there.",
    )


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


def _confidence(segments: Sequence[Segment]) -> float:
    """Return the mean confidence of the words' time."""
    weights = [(segment.end - segment.start, segment.confidence or 0.0) for segment in segments]
    return sum(w * c for w, c in weights) / max(sum(w for w, _ in weights), 1e-9)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"
