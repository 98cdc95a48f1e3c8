"""`Histogram`: counts of values in buckets of equal ratio, for percentiles of any sum of them.

The bucket `i` has the values above RATIO ** (i - 1), up to RATIO ** i. A percentile is the middle
of its bucket, so that it is off by 4.8 % of the true value at most, however many values there are
(DDSketch: Masson, Rim and Lee, VLDB 2019, with alpha = 1/21).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RATIO = 1.1
ERROR = (RATIO - 1) / (RATIO + 1)
"""The most by which a percentile is off, as a share of the true value: 0.0476."""

SMALLEST, LARGEST = 1e-6, 1e12
"""What is beyond them counts as they do: no clock and no model gives such a value."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The values that 50, 75, 90 and 99 of 100 values do not exceed."""

    p50: float
    p75: float
    p90: float
    p99: float


def bucket(value: float) -> int:
    """Return the number of the bucket that a value is in."""
    return ceil(log(min(max(value, SMALLEST), LARGEST)) / log(RATIO))


def percentiles(counts: Mapping[int, int]) -> Percentiles | None:
    """Return the percentiles of the values that are counted by bucket; None where there are none.

    The percentile q of n values is the one with the number ceil(q / 100 * n), the least being 1.
    """
    buckets = sorted(counts)
    numbers = list(accumulate(counts[index] for index in buckets))  # of the last in each bucket
    if not numbers:
        return None
    wanted = (-(-q * numbers[-1] // 100) for q in (50, 75, 90, 99))
    return Percentiles(*(_middle(buckets[bisect_left(numbers, number)]) for number in wanted))


def _middle(index: int) -> float:
    """Return the value from which neither end of a bucket is further than `ERROR`."""
    return float(2 * RATIO**index / (RATIO + 1))
