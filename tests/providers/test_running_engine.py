"""The watchdog, with a scripted engine."""

import asyncio

import pytest

from tests.providers.test_engine_client import peer
from voxgate.engine.protocol import Health
from voxgate.providers.running_engine import Watchdog


def health(step_age_s: float) -> bytes:
    return Health(
        model="a/b", pid=1, state="working", active=1, queued=0, step_age_s=step_age_s, taken=1
    ).encode()


async def test_an_engine_that_takes_no_step_is_found() -> None:
    async with peer(health(step_age_s=40.0)) as client:
        assert await Watchdog(client, patience_s=2.0).watch() == "took no step for 40 s"


@pytest.mark.parametrize("body", [b"", b"fine, thanks"])
async def test_an_engine_that_is_silent_is_found(body: bytes) -> None:
    async with peer(body) as client:
        assert "took no step" in await Watchdog(client, patience_s=0.2).watch()


async def test_an_engine_that_steps_is_left_alone() -> None:
    async with peer(health(step_age_s=0.1)) as client:
        watch = asyncio.create_task(Watchdog(client, patience_s=0.5).watch())
        done, _ = await asyncio.wait([watch], timeout=1.0)
        assert not done
        watch.cancel()
