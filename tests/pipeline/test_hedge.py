"""Two providers asked for one window: one answer counts, and nothing is left of the other."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from tests.scripted import Scripted
from voxgate.errors import UpstreamError, VoxgateError
from voxgate.pipeline.hedge import race
from voxgate.pipeline.route import SharedProvider
from voxgate.routing.health import HealthBook
from voxgate.routing.tally import EndedAttempt

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def pair() -> tuple[SharedProvider, SharedProvider]:
    return SharedProvider.of(Scripted(name="a")), SharedProvider.of(Scripted(name="b"))


@pytest.fixture
def book(pair: tuple[SharedProvider, SharedProvider]) -> HealthBook:
    """Both are hedged after a moment."""
    book = HealthBook()
    for each in pair:
        for _ in range(20):
            book.record(each.slug, EndedAttempt("succeeded", 0.001))
    return book


@pytest.fixture
async def unhandled() -> list[dict[str, Any]]:
    """What the event loop was told of errors that nobody took."""
    told = list[dict[str, Any]]()
    handler: Callable[..., None] = lambda _, context: told.append(context)  # noqa: E731
    asyncio.get_running_loop().set_exception_handler(handler)
    return told


@pytest.mark.parametrize("fault", [UpstreamError("It failed. Try again."), ValueError("a bug")])
async def test_an_error_beside_an_answer_is_no_news(
    pair: tuple[SharedProvider, SharedProvider],
    book: HealthBook,
    unhandled: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
) -> None:
    """The first fails when it is cancelled, since the second has answered; a bug is logged."""

    async def attempt(provider: SharedProvider, on_turn: Callable[[], None]) -> str:
        on_turn()
        if provider is pair[1]:
            return "answer"
        try:
            return await asyncio.Future[str]()
        except asyncio.CancelledError:
            raise fault from None

    failures = dict[SharedProvider, VoxgateError]()
    assert await race(attempt, *pair, book, failures) == (pair[1], "answer")
    gc.collect()
    assert not unhandled
    assert not failures
    assert len(caplog.records) == isinstance(fault, ValueError)
