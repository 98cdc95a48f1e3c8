"""Connections to upstreams: those that end, callers who leave, and upstreams that want a rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.api.serving import new_key, with_key
from tests.ledger.other_process import sql
from tests.processes import until
from tests.sounds import RATE, encode, sample
from tests.upstreams import faults
from tests.upstreams.faults import always
from tests.upstreams.gateway import MODEL, Clock, Elsewhere, gateway, price
from voxgate.ledger.address import LEDGER_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.upstreams.proxy import Exchange, Fault

SPEECH = encode(sample()[: 2 * RATE], "x.flac")


@pytest.mark.parametrize("answers", [faults.hang_up, faults.byte_by_byte])
async def test_an_upstream_that_closes_or_is_slow_has_not_failed(
    tmp_path: Path, answers: Fault
) -> None:
    async with gateway(tmp_path, [Elsewhere("first")]) as elsewhere:
        elsewhere.proxies["first"].script = always(answers)
        for _ in range(4):
            answer = await elsewhere.post(SPEECH)
            assert answer.json()["text"].startswith("first heard")
            tried = (await elsewhere.fact(answer))["provider_responses"]
            assert [each["error_code"] for each in tried] == [None]


@pytest.mark.parametrize("limited", faults.LIMITED)
async def test_who_asks_for_a_rest_is_asked_after_it(tmp_path: Path, limited: str) -> None:
    async with gateway(tmp_path, [Elsewhere("first")]) as elsewhere:
        proxy = elsewhere.proxies["first"]
        proxy.script = lambda number: faults.LIMITED[limited] if number == 0 else None
        answer = await elsewhere.post(SPEECH)
        assert answer.json()["text"].startswith("first heard")
        told = (await elsewhere.fact(answer))["provider_responses"]
        assert [each["error_code"] for each in told] == ["upstream_rate_limited", None]
        assert len(proxy.faults) == 2


@pytest.mark.parametrize("limited", faults.LIMITED)
async def test_nobody_waits_for_a_rest_where_another_one_answers(
    tmp_path: Path, limited: str
) -> None:
    listed = [Elsewhere("first"), Elsewhere("second")]
    async with gateway(tmp_path, listed, clock=Clock()) as elsewhere:
        elsewhere.proxies["first"].script = always(faults.LIMITED[limited])
        for _ in range(3):
            answer = await elsewhere.post(SPEECH, provider={"order": ["first"]})
            assert answer.json()["text"].startswith("second heard")
        assert elsewhere.asked() == {"first": 1, "second": 3}


async def test_a_caller_who_leaves_ends_the_work_elsewhere(tmp_path: Path) -> None:
    """No request goes on, nothing stays reserved, and the provider has not failed."""
    left = asyncio.Event()

    async def never(exchange: Exchange) -> None:
        await exchange.left()
        left.set()

    listed = [Elsewhere("first", price=price("0.1", "second")), Elsewhere("second")]
    async with gateway(tmp_path, listed) as elsewhere:
        key = await new_key(elsewhere.server, "one who leaves", limit_nanodollars=10**9)
        proxy = elsewhere.proxies["first"]
        proxy.script = always(never)
        request = asyncio.create_task(
            elsewhere.post(
                SPEECH, provider={"order": ["first"]}, stream="true", headers=with_key(key)
            )
        )
        await until(lambda: bool(proxy.faults), "the request")
        request.cancel()
        await left.wait()
        path = elsewhere.server.settings.home / LEDGER_FILE
        ended = "SELECT status, cost_nanodollars FROM generations WHERE finished_at IS NOT NULL"
        await until(lambda: sql(path, ended) == [(499, 0)], "its end")
        assert sql(path, "SELECT spent_nanodollars, reserved_nanodollars FROM budgets") == [(0, 0)]
        assert elsewhere.asked() == {"first": 1, "second": 0}
        endpoints = await elsewhere.server.client.get(f"/models/{MODEL}/endpoints")
        first, _ = endpoints.json()["data"]["endpoints"]
        assert first["status"] == 0
        proxy.script = always(None)
        answer = await elsewhere.post(SPEECH, provider={"order": ["first"]})
        assert answer.json()["text"].startswith("first heard")
