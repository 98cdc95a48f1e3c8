"""The rows of the table, and median times. Each peer is measured in the same run."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence


@dataclass(frozen=True)
class Row:
    """One figure. `peer` is the same work by other software, measured just before or after."""

    what: str
    figure: str
    peer: str = ""
    goal: str = ""


def median_s(function: Callable[[], object], times: int) -> float:
    """Return the median wall time of so many runs, in seconds."""
    elapsed_s = list[float]()
    for _ in range(times):
        start_s = time.perf_counter()
        function()
        elapsed_s.append(time.perf_counter() - start_s)
    return statistics.median(elapsed_s)


async def median_async_s(function: Callable[[], Awaitable[object]], times: int) -> float:
    """Return the median wall time of so many runs of a coroutine, in seconds."""
    elapsed_s = list[float]()
    for _ in range(times):
        start_s = time.perf_counter()
        await function()
        elapsed_s.append(time.perf_counter() - start_s)
    return statistics.median(elapsed_s)


def median_percentiles_s(rounds: Iterable[Sequence[float]]) -> tuple[float, float]:
    """Return the medians, over rounds of times in seconds, of their median and 99th percentile."""
    each = [(statistics.median(times), statistics.quantiles(times, n=100)[98]) for times in rounds]
    return statistics.median(p50 for p50, _ in each), statistics.median(p99 for _, p99 in each)


def show(rows: Iterable[Row]) -> None:
    """Print the table, 118 columns wide."""
    table = Table("what", "figure", "peer, same run", "goal")
    for row in rows:
        table.add_row(row.what, row.figure, row.peer, row.goal)
    Console(width=118).print(table)
