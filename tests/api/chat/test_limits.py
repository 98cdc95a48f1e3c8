"""What a key may ask: its budget, its limits, its models; and a server that stops."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.chat.asking import (
    CHAT,
    TEXT,
    ask,
    chunks,
    dying,
    hearing,
    joined,
    question,
    sound,
    text,
    user,
)
from tests.api.serving import SCRIPTED, Gate, Running, error_of, new_key, serving, with_key
from tests.processes import until
from voxgate.prices import ListedPrice, Price, PriceList, parse_prices

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from voxgate.prices import Unit

UNITS = {"second": 0.7, "request": 1.0, "token": 7.0}
"""Dollars for an answer of 7 tokens to 0.7 s of sound, at a dollar for each."""


async def asked_by(server: Running, secret: str, **fields: Any) -> httpx2.Response:
    return await server.client.post(CHAT, json=question(**fields), headers=with_key(secret))


@pytest.mark.parametrize("unit", UNITS)
async def test_what_an_answer_costs(tmp_path: Path, unit: str) -> None:
    prices = parse_prices(f"{SCRIPTED} = 1/{unit}", "this test")
    async with serving(tmp_path, hearing(), prices=prices) as server:
        answer = await ask(server)
        secret = await new_key(server, "limited", limit_nanodollars=100_000 * 10**9)
        limited = await asked_by(server, secret)
        key = (await server.client.get("/key", headers=with_key(secret))).json()["data"]
    assert answer.json()["usage"]["cost"] == UNITS[unit]
    assert limited.json()["usage"]["cost"] == UNITS[unit]
    assert (key["usage"], key["limit_remaining"]) == (UNITS[unit], 100_000 - UNITS[unit])


@pytest.mark.parametrize(("unit", "cost"), {"second": 0.0, "request": 1.0, "token": 7.0}.items())
async def test_what_a_text_costs(tmp_path: Path, unit: Unit, cost: float) -> None:
    """Nothing by time, also where a minimum of sound is charged."""
    price = Price(Decimal(1), unit, Decimal(unit == "second"))
    prices = PriceList((ListedPrice(SCRIPTED, price),))
    said = {"role": "user", "content": "What is a note?"}
    async with serving(tmp_path, hearing(), prices=prices) as server:
        answer = await ask(server, said)
        secret = await new_key(server, "limited", limit_nanodollars=6 * 10**9)
        body = {**question(said), "max_tokens": 7}
        limited = await server.client.post(CHAT, json=body, headers=with_key(secret))
    assert answer.json()["usage"]["cost"] == cost
    assert limited.status_code == (402 if cost > 6 else 200)


async def test_a_long_answer_to_a_short_sound_costs_its_tokens(tmp_path: Path) -> None:
    prices = parse_prices(f"{SCRIPTED} = 1/token", "this test")
    wordy = hearing(answers=lambda _: "word " * 100)
    async with serving(tmp_path, wordy, prices=prices) as server:
        answer, cut = await ask(server), await ask(server, max_tokens=50)
    assert answer.json()["usage"]["cost"] == 100
    assert cut.json()["usage"]["cost"] == 50


@pytest.mark.parametrize("parts", [[text(), sound()], [text()]])
async def test_what_was_sent_of_an_answer_that_broke_off_costs_its_tokens(
    tmp_path: Path, parts: list[dict[str, Any]]
) -> None:
    """Not those that its sound can have: else who leaves before the end has a long answer cheap."""
    prices = parse_prices(f"{SCRIPTED} = 1/token", "this test")
    wordy = dying(answers=lambda _: "word " * 100, lives=90)
    async with serving(tmp_path, wordy, prices=prices) as server:
        events = chunks(await ask(server, user(*parts), stream=True))
        found = await server.client.get("/generation", params={"id": events[0]["id"]})
    sent = found.json()["data"]
    assert events[-1]["error"]["metadata"]["code"] == "engine_died"
    assert 50 < sent["total_cost"] <= len(joined(events).split())
    assert sent["total_cost"] == sent["tokens_completion"]


@pytest.mark.parametrize("most", [10**6, 10**12, 10**300])
async def test_more_tokens_than_a_budget_has_are_refused(tmp_path: Path, most: int) -> None:
    """However many: what they cost is more than a column of the ledger holds."""
    prices = parse_prices(f"{SCRIPTED} = 1/token", "this test")
    async with serving(tmp_path, hearing(), prices=prices) as server:
        secret = await new_key(server, "limited", limit_nanodollars=10**14)
        refused = await asked_by(server, secret, max_tokens=most)
        free = await asked_by(server, await new_key(server, "unlimited"), max_tokens=most)
    assert error_of(refused)["metadata"]["code"] == "budget_exceeded"
    assert free.status_code == 200


async def test_an_answer_to_what_was_read_costs_the_tokens_of_both(tmp_path: Path) -> None:
    prices = parse_prices(f"{SCRIPTED} = 1/token", "this test")
    reading = hearing(hears_s=0.1, says=lambda *_: "words that were heard")
    async with serving(tmp_path, reading, prices=prices) as server:
        usage = (await ask(server)).json()["usage"]
    assert (usage["completion_tokens"], usage["cost"]) == (7, 11)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_budget_that_is_too_small_is_asked_before_the_model(
    tmp_path: Path, streamed: bool
) -> None:
    prices = parse_prices(f"{SCRIPTED} = 1/second", "this test")
    async with serving(tmp_path, hearing(), prices=prices) as server:
        poor = await new_key(server, "poor", limit_nanodollars=1)
        error = error_of(await asked_by(server, poor, stream=streamed))
        used_up = await new_key(server, "none", limit_samples=0)
        at_once = error_of(await asked_by(server, used_up))
        assert server.provider.questions == []
    for each in (error, at_once):
        assert (each["code"], each["metadata"]["code"]) == (402, "budget_exceeded")


async def test_how_many_and_how_often(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, hearing(gate=gate), max_flights_per_key=1) as server:
        first = asyncio.create_task(ask(server))
        await until(lambda: server.provider.questions != [], "the question")
        busy = await ask(server, user(sound()))
        gate.open.set()
        assert (await first).status_code == 200
        slow = await new_key(server, "slow", requests_per_minute=1)
        assert (await asked_by(server, slow)).status_code == 200
        often = await asked_by(server, slow)
    assert error_of(busy)["metadata"]["code"] == "rate_limit_exceeded"
    assert int(busy.headers["retry-after"]) > 0
    assert (often.status_code, often.headers["x-ratelimit-limit"]) == (429, "1")


async def test_only_a_keys_own_models(tmp_path: Path) -> None:
    async with serving(tmp_path, hearing()) as server:
        other = await new_key(server, "other", allowed_models=("openai/whisper-base",))
        manager = await new_key(server, "manager", management=True)
        refused = [await asked_by(server, secret) for secret in (other, manager)]
        nobody = await asked_by(server, "sk-vg-nobody")
    assert [each.status_code for each in refused] == [403, 403]
    assert nobody.status_code == 401


async def test_a_server_that_stops_ends_its_answers(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, hearing(gate=gate)) as server:
        first = asyncio.create_task(ask(server, stream=True))
        await until(lambda: server.provider.questions != [], "the question")
        server.server.stop()
        await asyncio.sleep(0)
        refused = await ask(server, user(sound()))
        gate.open.set()
        answered = chunks(await first)
    assert error_of(refused)["metadata"]["code"] == "shutting_down"
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in answered) == TEXT
