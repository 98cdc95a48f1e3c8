"""`why_regressed`: whether an endpoint recognises known recordings worse than it did.

A pure function of the endpoint's own results. One of these two is a regression:

1. Each of the last `WORSE_IN_A_ROW` results has a word error rate that is worse than usual: above
   the median of the usual ones before by more than `MORE_POINTS`, and by more than half of it. A
   result is usual unless it is worse; before there are `LEAST_USUAL`, every result is.
2. The last `SILENT_IN_A_ROW` results have no word for any recording with speech.

Only results of the same recordings are compared, and a result with a failed recording is not: that
an endpoint fails is in its health. A regression ends with the next result that is as usual, or
where nothing confirms it for `CONFIRMED_WITHIN` intervals.
"""

from __future__ import annotations

from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from voxgate.ledger.canary_results import CanaryResult

WORSE_IN_A_ROW = 3
LEAST_USUAL = 5
MORE_POINTS = 0.1
MORE_SHARE = 0.5
SILENT_IN_A_ROW = 2
CONFIRMED_WITHIN = 3
"""An engine that nobody uses because it regressed is not measured either: it gets a chance again.
"""


def why_regressed(results: Sequence[CanaryResult], now: datetime, interval_s: float) -> str | None:
    """Return what is worse in a clause about `it`; None of an endpoint that did not regress.

    `results` are those of one endpoint, the oldest first. `interval_s` is the time between two.
    """
    complete = [each for each in results if not each.failed and each.reference]
    if not complete:
        return None
    newest = complete[-1]
    if now - newest.measured_at > timedelta(seconds=CONFIRMED_WITHIN * interval_s):
        return None
    if _are_silent(complete[-SILENT_IN_A_ROW:]):
        return f"it has no words for speech, {SILENT_IN_A_ROW} times in a row"
    rates = [each.errors / each.reference for each in complete if each.digest == newest.digest]
    usual, worse = _divided(rates)
    if len(worse) < WORSE_IN_A_ROW:
        return None
    return (
        f"its word error rate is {worse[-1]:.1%}, and was {median(usual):.1%} before, {len(worse)} "
        f"times in a row"
    )


def _are_silent(results: Sequence[CanaryResult]) -> bool:
    return len(results) == SILENT_IN_A_ROW and all(each.coverage == 0 for each in results)


def _divided(rates: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the usual rates, and those after the last usual one."""
    usual, worse = list[float](), list[float]()
    for rate in rates:
        if len(usual) >= LEAST_USUAL and _is_worse(rate, median(usual)):
            worse.append(rate)
        else:
            usual.append(rate)
            worse.clear()
    return usual, worse


def _is_worse(rate: float, before: float) -> bool:
    return rate - before > max(MORE_POINTS, MORE_SHARE * before)
