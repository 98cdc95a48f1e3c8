"""The cuts between captions: the most readable division within the hard limits.

Everything that is hard to read has a cost. The unit is the cost of one more caption. The division
of the lowest total cost for the whole transcript is found in the way in which TeX breaks a
paragraph into lines, in time linear in the transcript's length. (D. E. Knuth, M. F. Plass,
"Breaking Paragraphs into Lines", 1981.)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from voxgate.transcript.text import columns, ends_clause, ends_sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.captions.pieces import CaptionPiece

# The cost of a cut, by its position. A cut at a sentence's end costs nothing.
_CUT_AT_PAUSE = 1.0
_CUT_AT_CLAUSE = 1.5
_CUT_ELSEWHERE = 3.0
_CUT_IN_WORD = 6.0
# The cost of no cut at a sentence's end, and at a noticeable pause, per second of it.
_SENTENCE_INSIDE = 4.0
_PAUSE_INSIDE = 4.0
_PAUSE_S = 0.3  # shorter gaps are part of speaking
_SEGMENT_PAUSE_S = 0.5  # between segments without word times, which also end at pauses
_REGION_PAUSE_S = 0.3  # the least that padding removes from the pause between two regions
# The cost of a caption with less than the shortest time. It is more than that of a sentence end and
# a pause of a second inside a caption, so that short answers share a caption, but less than that of
# a pause of several seconds.
_TOO_SHORT = 10.0


@dataclass(frozen=True, slots=True)
class CaptionLimits:
    """The limits of one caption. It has at most two lines."""

    line_columns: int  # a wide character takes two
    shortest_s: float
    longest_s: float


def cut_captions(
    pieces: Sequence[CaptionPiece], duration: float, limits: CaptionLimits
) -> list[Sequence[CaptionPiece]]:
    """Divide the pieces into captions, each with at least one piece.

    A piece must have at most `line_columns` columns. A caption fits in two lines, and lasts at
    most `longest_s` seconds unless it is a single piece. The last one must end by `duration`, the
    recording's length in seconds.
    """
    count = len(pieces)
    edges = [0, *accumulate(columns(piece.text) + piece.spaced for piece in pieces)]
    reach = _reach(pieces, edges, limits.line_columns)
    cut_costs, kept_costs = _break_costs(pieces)
    kept = list(
        accumulate(kept_costs)
    )  # kept[j] - kept[i]: the cost of no cut at all breaks i < k <= j
    starts = [*(piece.start for piece in pieces), duration]
    full = 2 * limits.line_columns

    cheapest = [0.0] + [float("inf")] * count  # cost of any division of the first k pieces
    previous = [0] * (count + 1)  # where the last caption of that division begins
    for i in range(count):
        for j in range(i + 1, reach[i] + 1):
            if j > i + 1 and pieces[j - 1].end - starts[i] > limits.longest_s:
                break
            # The square makes captions of equal length cheaper than a full caption and a short one.
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


def _reach(pieces: Sequence[CaptionPiece], edges: Sequence[int], line_columns: int) -> list[int]:
    """Return for each piece the end of the longest run from it that fits in two lines.

    The lines are filled greedily.
    """
    line_ends = []
    end = 0
    for i, piece in enumerate(pieces):
        while end < len(pieces) and edges[end + 1] - edges[i] - piece.spaced <= line_columns:
            end += 1
        line_ends.append(end)
    line_ends.append(len(pieces))
    return [line_ends[end] for end in line_ends]


def _break_costs(pieces: Sequence[CaptionPiece]) -> tuple[list[float], list[float]]:
    """Return the costs of a cut and of no cut, before each piece and after the last."""
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
    """Return the seconds of silence between two pieces, as far as they are known."""
    gap_s = right.start - left.end
    if not right.opens:
        return gap_s
    return gap_s + _REGION_PAUSE_S if right.in_region else max(gap_s, _SEGMENT_PAUSE_S)
