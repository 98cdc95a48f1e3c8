"""Time spans, and the one rule that corrects inconsistent times."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Span: TypeAlias = tuple[float, float]
"""Start and end, in seconds."""


def monotone(spans: Sequence[Span], floor: float, ceiling: float) -> list[Span]:
    """Return the spans in the given order, clipped to [floor, ceiling] and without overlaps.

    The order of the text is trusted more than any time. When two spans overlap, the first ends
    where the second starts, because recognisers find starts more accurately than ends. When the
    second does not start later than the first, it starts where the first ends. A span that has no
    time left is kept with length zero. A NaN start becomes the end of the previous span, and a NaN
    end becomes the start of its own span.
    """
    corrected: list[Span] = []
    for index, (given_start, given_end) in enumerate(spans):
        start = _clip(given_start, floor, ceiling)
        end = _clip(given_end, start, ceiling)
        next_start = spans[index + 1][0] if index + 1 < len(spans) else ceiling
        if start < next_start < end:
            end = next_start
        corrected.append((start, end))
        floor = end
    return corrected


def _clip(time: float, low: float, high: float) -> float:
    # NaN compares false with everything. With this order of arguments the result is then `low`.
    return min(high, max(low, time))
