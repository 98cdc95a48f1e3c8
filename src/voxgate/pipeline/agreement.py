"""Windows that were taken for another language than those around them, and what to do about it.

A model detects the language of each window alone. Whether one strays is decided here, by values
alone, as soon as the windows are known that can tell: so a text is final while the recording still
goes on, and the same whatever the order in which windows were recognised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.pipeline.review import clock
from voxgate.pipeline.window import main_language
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.pipeline.review import Placed
    from voxgate.pipeline.window import RecognisedWindow
    from voxgate.transcript.values import Segment

SURE_LANGUAGE = 0.7
"""The probability from which a window's language is believed against its neighbours. On recordings
of one language, windows of speech have 0.9 and more; those detected wrongly had 0.14 to 0.62."""

DECIDING_WINDOWS = 4
"""Windows of speech after a doubtful one that decide about it, with all that are before it: two
minutes of a Whisper. No text waits for more."""


def may_stray(placed: Placed) -> bool:
    """Return whether a window's language needs the agreement of others."""
    recognised, segments = placed
    probability = recognised.language_probability
    return bool(segments) and probability is not None and probability < SURE_LANGUAGE


def decidable(placed: Sequence[Placed], place: int) -> bool:
    """Return whether no later window can change what `stray_language` returns for this place.

    `placed` are the windows that are known, in order and without a gap.
    """
    if not may_stray(placed[place]):
        return True
    near, after = _neighbours(placed, place), _spoken(placed, range(place + 1, len(placed)))
    agreed = bool(after) and len({placed[other][0].language for other in near}) == 1
    at_start = len(near) == 1
    same = agreed and placed[near[0]][0].language == placed[place][0].language
    return len(after) >= DECIDING_WINDOWS or (agreed and (same or not at_start))


def stray_language(placed: Sequence[Placed], place: int) -> str | None:
    """Return the language to expect in the window at this place, or None if it does not stray.

    A window strays when its language is not that of the windows before and after it, or, where
    those differ, of most of the recording up to `DECIDING_WINDOWS` windows later, and was detected
    with low probability. The first and the last have one neighbour, and do not stray in the
    language of most. `placed` is in order; windows without words are no neighbours.
    """
    if not may_stray(placed[place]):
        return None
    near, own = _neighbours(placed, place), placed[place][0].language
    around = {placed[other][0].language for other in near}
    main = _main_language(placed, place)
    expected = around.pop() if len(around) == 1 else main
    if len(near) == 1 and own == main:
        return None
    return expected if expected != own else None


def believed(first: Placed, again: Placed) -> bool:
    """Return whether a window's second text, in another language, is as likely as its first."""
    return bool(again[1]) and _confidence(again[1]) >= _confidence(first[1])


def stray_notice(first: RecognisedWindow, expected: str) -> Notice:
    """Return the notice for a window that was recognised in the language of its neighbours."""
    return Notice(
        "stray_language",
        f"From {clock(first.window.start_s)} to {clock(first.window.end_s)} the language was "
        f"taken for '{expected}', as around it; alone it sounds like '{first.language}'. Name the "
        f"language if it is another.",
    )


def _spoken(placed: Sequence[Placed], places: range) -> list[int]:
    """Return those of the places whose windows have words."""
    return [place for place in places if placed[place][1]]


def _neighbours(placed: Sequence[Placed], place: int) -> list[int]:
    """Return the places of the nearest windows with words, before and after, at most two."""
    before = next((at for at in reversed(range(place)) if placed[at][1]), None)
    after = next((at for at in range(place + 1, len(placed)) if placed[at][1]), None)
    return [at for at in (before, after) if at is not None]


def _main_language(placed: Sequence[Placed], place: int) -> str | None:
    """Return the language of most of the sound up to the last witness of this place."""
    witnesses = _spoken(placed, range(place + 1, len(placed)))[:DECIDING_WINDOWS]
    last = max(witnesses, default=place)
    language, _ = main_language([window for window, words in placed[: last + 1] if words])
    return language


def _confidence(segments: Sequence[Segment]) -> float:
    """Return the mean confidence of the words' time."""
    weights = [(segment.end - segment.start, segment.confidence or 0.0) for segment in segments]
    return sum(w * c for w, c in weights) / max(sum(w for w, _ in weights), 1e-9)
