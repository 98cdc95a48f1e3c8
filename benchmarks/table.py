"""Rows of the one table, and how they are measured: medians, beside a peer in the same run."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable


@dataclass(frozen=True)
class Row:
    """One figure. `peer` is the same work by somebody else, measured right before or after."""

    what: str
    figure: str
    peer: str = ""
    goal: str = ""


def median_s(work: Callable[[], object], times: int) -> float:
    """The median wall time of so many runs, seconds."""
    took = list[float]()
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


async def median_async_s(work: Callable[[], Awaitable[object]], times: int) -> float:
    """The same for a coroutine."""
    took = list[float]()
    for _ in range(times):
        began = time.perf_counter()
        await work()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def show(rows: Iterable[Row]) -> None:
    """Print the table, as wide as it needs to be."""
    table = Table("what", "figure", "peer, same run", "goal")
    for row in rows:
        table.add_row(row.what, row.figure, row.peer, row.goal)
    Console(width=118).print(table)
