"""Where captions are cut: of all cuttings that keep the hard limits, the one that reads best.

What reads badly has a cost, in units of one caption more on the screen, and the cheapest way
through the whole transcript is found as TeX finds the lines of a paragraph, in time linear in the
transcript's length. (D. E. Knuth, M. F. Plass, "Breaking Paragraphs into Lines", 1981.)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from voxgate.transcript.text import ends_clause, ends_sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.captions.pieces import CaptionPiece

# The costs of a cut, by what stands there. At a sentence's end it is free.
_CUT_AT_PAUSE = 1.0
_CUT_AT_CLAUSE = 1.5
_CUT_ELSEWHERE = 3.0
_CUT_IN_WORD = 6.0
# The costs of having no cut: at a sentence's end, and per second of a pause that can be noticed.
_SENTENCE_INSIDE = 4.0
_PAUSE_INSIDE = 4.0
_PAUSE_S = 0.3  # shorter gaps are part of speaking
_SEGMENT_PAUSE_S = 0.5  # a provider that times no words still divides its segments at pauses
_REGION_PAUSE_S = 0.3  # what padding takes at least of the pause between two regions of speech
# The cost of a caption with less than the shortest time: more than a sentence and a pause of a
# second inside, so that short answers share a caption; less than a pause of several seconds.
_TOO_SHORT = 10.0


@dataclass(frozen=True, slots=True)
class CaptionLimits:
    """What a caption may hold. Two lines at most are assumed."""

    line_chars: int
    shortest_s: float
    longest_s: float


def cut_captions(
    pieces: Sequence[CaptionPiece], duration: float, limits: CaptionLimits
) -> list[Sequence[CaptionPiece]]:
    """The pieces of each caption. None is empty, and each piece has at most `line_chars`.

    A caption fits in two lines, and lasts `longest_s` at most unless it is a single piece. The
    recording's `duration`, in seconds, is when the last one has to end.
    """
    count = len(pieces)
    edges = [0, *accumulate(len(piece.text) + piece.spaced for piece in pieces)]
    reach = _reach(pieces, edges, limits.line_chars)
    cut_costs, kept_costs = _break_costs(pieces)
    kept = list(accumulate(kept_costs))  # kept[j] - kept[i]: the breaks i < k <= j all left uncut
    starts = [*(piece.start for piece in pieces), duration]
    full = 2 * limits.line_chars

    cheapest = [0.0] + [float("inf")] * count  # of all cuttings of the first k pieces
    previous = [0] * (count + 1)  # where the last caption of that cutting begins
    for i in range(count):
        for j in range(i + 1, reach[i] + 1):
            if j > i + 1 and pieces[j - 1].end - starts[i] > limits.longest_s:
                break
            # The square makes captions of equal length cheaper than a full one and a remnant.
            cost = 1 + ((edges[j] - edges[i]) / full) ** 2
            cost += cut_costs[j] + kept[j - 1] - kept[i]
            if starts[j] - starts[i] < limits.shortest_s:
                cost += _TOO_SHORT
            if cheapest[i] + cost < cheapest[j]:
                cheapest[j], previous[j] = cheapest[i] + cost, i

    ends = [count]
    while ends[-1]:
        ends.append(previous[ends[-1]])
    return [pieces[i:j] for i, j in pairwise(reversed(ends))]


def _reach(pieces: Sequence[CaptionPiece], edges: Sequence[int], line_chars: int) -> list[int]:
    """For each piece, the end of the longest run from it that two lines hold, filled greedily."""
    line_ends = []
    end = 0
    for i, piece in enumerate(pieces):
        while end < len(pieces) and edges[end + 1] - edges[i] - piece.spaced <= line_chars:
            end += 1
        line_ends.append(end)
    line_ends.append(len(pieces))
    return [line_ends[end] for end in line_ends]


def _break_costs(pieces: Sequence[CaptionPiece]) -> tuple[list[float], list[float]]:
    """The cost of a cut before each piece and after the last, and the cost of none there."""
    cut_costs, kept_costs = [0.0], [0.0]
    for left, right in pairwise(pieces):
        pause_s = _pause_s(left, right)
        sentence = ends_sentence(left.text, right.text)
        if sentence:
            cut_costs.append(0.0)
        elif pause_s >= _PAUSE_S:
            cut_costs.append(_CUT_AT_PAUSE)
        elif ends_clause(left.text):
            cut_costs.append(_CUT_AT_CLAUSE)
        else:
            cut_costs.append(_CUT_ELSEWHERE if right.spaced else _CUT_IN_WORD)
        pause_cost = _PAUSE_INSIDE * pause_s if pause_s >= _PAUSE_S else 0.0
        kept_costs.append(pause_cost + _SENTENCE_INSIDE * sentence)
    return [*cut_costs, 0.0], [*kept_costs, 0.0]


def _pause_s(left: CaptionPiece, right: CaptionPiece) -> float:
    """Seconds of silence between two pieces, as far as it is known."""
    gap_s = right.start - left.end
    if not right.opens:
        return gap_s
    return gap_s + _REGION_PAUSE_S if right.in_region else max(gap_s, _SEGMENT_PAUSE_S)
