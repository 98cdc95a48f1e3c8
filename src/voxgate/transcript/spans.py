"""Spans of time made monotone. The one rule by which doubtful times are put right."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Span: TypeAlias = tuple[float, float]
"""Start and end, in seconds."""


def monotone(spans: Sequence[Span], floor: float, ceiling: float) -> list[Span]:
    """The spans in the given order, within [floor, ceiling], none beginning before the last ended.

    The order is the order of reading, which is trusted more than any time. Of two spans that
    overlap, the earlier one ends where the later one starts, since recognisers place beginnings
    better than ends; where the later one does not even start later, it waits for the earlier one.
    A span of which nothing is left has no length, but is not lost. NaN counts as "no later than
    what came before".
    """
    placed: list[Span] = []
    for index, (wanted_start, wanted_end) in enumerate(spans):
        start = _clip(wanted_start, floor, ceiling)
        end = _clip(wanted_end, start, ceiling)
        following = spans[index + 1][0] if index + 1 < len(spans) else ceiling
        if start < following < end:
            end = following
        placed.append((start, end))
        floor = end
    return placed


def _clip(time: float, low: float, high: float) -> float:
    # The order of the arguments makes NaN, which compares false with everything, come out as `low`.
    return min(high, max(low, time))
