"""Hedging: a second provider is asked beside the first where that is slower than it mostly is."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from voxgate.errors import VoxgateError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from voxgate.pipeline.route import SharedProvider
    from voxgate.routing.health import HealthBook

T = TypeVar("T")

AttemptFunction: TypeAlias = "Callable[[SharedProvider, Callable[[], None]], Awaitable[T]]"
"""An attempt at a provider, which calls the function when its turn has come."""

log = logging.getLogger(__name__)

UNKNOWN_LATENCY_S = 5.0
"""How long to wait for a provider of which no latency is known."""


async def race(
    attempt: AttemptFunction[T],
    first: SharedProvider,
    second: SharedProvider,
    health: HealthBook,
    failures: dict[SharedProvider, VoxgateError],
) -> tuple[SharedProvider, T] | None:
    """Return who succeeds first, and with what; None where nobody does, whose errors are added.

    The second is asked once the first takes longer than nine of ten of its answers did. A wait for
    its turn does not count: where it is busy, everything would be asked for twice. Who does not win
    is cancelled.
    """
    if not health.claim(first.slug):
        return None
    begun = asyncio.Event()
    tasks = {asyncio.ensure_future(attempt(first, begun.set)): first}
    try:
        await _wait_for_turn(next(iter(tasks)), begun)
        latency_s = health.summary(first.slug).latency_s
        patience_s = latency_s.p90 if latency_s else UNKNOWN_LATENCY_S
        done, _ = await asyncio.wait(tasks, timeout=patience_s)
        if not done and health.claim(second.slug):
            tasks[asyncio.ensure_future(attempt(second, lambda: None))] = second
        waiting = set(tasks)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is None:
                    return tasks[task], task.result()
                if not isinstance(error, VoxgateError):
                    raise error
                failures[tasks[task]] = error
        return None
    finally:
        await _end(tasks)
        for provider in tasks.values():
            health.release(provider.slug)


async def _wait_for_turn(task: asyncio.Future[T], begun: asyncio.Event) -> None:
    """Wait until an attempt begins, or ends before."""
    task.add_done_callback(lambda _: begun.set())
    await begun.wait()


async def _end(tasks: Iterable[asyncio.Future[T]]) -> None:
    """Cancel the tasks that go on. Nobody needs an error beside an answer, unless it is a bug."""
    for task in tasks:
        task.cancel()
    for ending in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ending, Exception) and not isinstance(ending, VoxgateError):
            log.error("a hedge met a bug", exc_info=ending)
