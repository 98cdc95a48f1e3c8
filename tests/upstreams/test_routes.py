"""Routes of several endpoints: which ones they have, what they cost, and who joins whose."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from tests.upstreams.gateway import MODEL, Elsewhere, gateway, price

if TYPE_CHECKING:
    from pathlib import Path

SPEECH = encode(sample()[: 2 * RATE], "x.flac")
DEAR, CHEAP = price("0.5", "second"), price("0.001", "second")
OTHER = "somebody/whisper-other"


async def test_two_models_of_one_endpoint_are_asked_for_the_first(tmp_path: Path) -> None:
    """It has the name and the price that the caller asked for, whatever follows it."""
    both = [Elsewhere("one", price=CHEAP), Elsewhere("one", price=DEAR, model=OTHER)]
    async with gateway(tmp_path, both) as elsewhere:
        for first, cost in ((MODEL, 0.002), (OTHER, 1.0)):
            fallbacks = f'["{OTHER}", "{MODEL}"]'
            answer = await elsewhere.post(SPEECH, f"{cost}.flac", model=first, models=fallbacks)
            assert answer.headers["x-voxgate-model"] == first
            assert answer.json()["usage"]["cost"] == cost
            told = await elsewhere.fact(answer)
            assert (told["model"], told["total_cost"]) == (first, cost)


async def test_who_has_no_key_is_in_no_record(tmp_path: Path) -> None:
    """A recording begins at the first provider that takes it, at the price of that one."""
    nowhere = {"keys": (f"file:{tmp_path / 'nothing'}",)}
    first = Elsewhere("first", price=DEAR, upstream=nowhere)
    async with gateway(tmp_path, [first, Elsewhere("second", price=CHEAP)]) as elsewhere:
        good = await elsewhere.post(SPEECH, provider={"order": ["first"]})
        bad = await elsewhere.post(b"no sound", "b.flac", provider={"order": ["first"]})
        assert (good.status_code, bad.status_code) == (200, 400)
        for answer in (good, bad):
            record = await elsewhere.record(answer)
            assert (record.provider, record.price) == ("second", CHEAP.record())
            assert [each.provider for each in record.attempts] == ["second"]


async def test_who_wants_times_is_not_given_a_text_without(tmp_path: Path) -> None:
    """A request that wants none may be answered by an endpoint that has none, after the first."""
    going = asyncio.Event()
    first = Elsewhere("first", provider=Scripted(gate=lambda _: going.wait(), concurrency=2))
    second = Elsewhere("second", endpoint={"times": "none"})
    order = {"order": ["first"]}
    async with asyncio.timeout(30), gateway(tmp_path, [first, second]) as elsewhere:
        formats = ("text", "text", "verbose_json")
        posts = [
            asyncio.create_task(elsewhere.post(SPEECH, provider=order, response_format=each))
            for each in formats
        ]
        while elsewhere.asked()["first"] < 2:  # noqa: ASYNC110 (a proxy sets nothing)
            await asyncio.sleep(0.01)
        going.set()
        ids = [(await post).headers["x-generation-id"] for post in posts]
    assert ids[0] == ids[1] != ids[2]
