"""Percentiles of each group of an answer, from the histograms that `usage.py` has added up."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from voxgate.histograms import percentiles
from voxgate.ledger.usage import FIRST_TEXT, LATENCY, REAL_TIME_FACTOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from voxgate.histograms import Percentiles
    from voxgate.ledger.activity_query import Group

Speeds: TypeAlias = "tuple[Percentiles | None, ...]"
"""Of latencies and of times to the first text, in milliseconds, with real-time factors between."""

_KINDS = (LATENCY, REAL_TIME_FACTOR, FIRST_TEXT)
UNKNOWN_SPEEDS: Speeds = (None,) * len(_KINDS)

_COUNTS = msgspec.json.Decoder(dict[str, int])


def speeds_by_group(
    rows: Iterable[Sequence[Any]], groups: Callable[[Group], list[Group]]
) -> dict[Group | None, Speeds]:
    """Add up histograms, each the last value of a row, by their groups; all as the group None."""
    sums: dict[Group | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    total = sums[None]
    for *group, text in rows:
        found = _COUNTS.decode(text)
        for counts in (total, *(sums[each] for each in groups(tuple(group)))):
            for name, count in found.items():
                counts[name] += count
    return {
        group: tuple(_percentiles(counts, kind) for kind in _KINDS)
        for group, counts in sums.items()
    }


def _percentiles(counts: dict[str, int], kind: str) -> Percentiles | None:
    return percentiles(
        {_bucket(name): count for name, count in counts.items() if name.startswith(kind)}
    )


@cache
def _bucket(name: str) -> int:
    """Return the number in a name such as `l81`: of some hundred names that there are."""
    return int(name[1:])
