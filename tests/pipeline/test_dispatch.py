"""Retries are few: of a recording, and of each provider, which recordings share."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tests.pipeline.test_failover import elsewhere
from tests.scripted import Scripted
from voxgate.errors import UpstreamError, VoxgateError
from voxgate.pipeline.dispatch import Dispatcher
from voxgate.pipeline.retries import MOST
from voxgate.pipeline.route import Route, SharedProvider

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_a_recording_without_retries_takes_none_of_those_of_others() -> None:
    providers = (elsewhere("a", Scripted()), elsewhere("b", Scripted()))
    dispatcher = Dispatcher(Route(providers))
    asked = list[SharedProvider]()

    async def fails(provider: SharedProvider, _: Callable[[], None]) -> None:
        asked.append(provider)
        raise UpstreamError("It failed. Try again.", 0.0)

    windows = 40
    for number in range(windows):
        with suppress(VoxgateError):
            await dispatcher.dispatch(fails, avoid=providers[number % 2])
    for each in providers:
        retries = asked.count(each) - windows
        left = 0
        while each.retries.spend():
            left += 1
        assert 0 < retries < MOST
        assert retries + left == MOST
