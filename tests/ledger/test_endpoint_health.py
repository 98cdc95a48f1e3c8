"""The health of endpoints in both databases."""

from datetime import timedelta

import pytest

from voxgate.ledger import endpoint_health
from voxgate.ledger.columns import utc_now
from voxgate.ledger.ledger import Ledger

FIRST = {"spans": {"5m": [[0, {"succeeded": 3, "latency": {"-7": 3}}]]}, "rest": None}
SECOND = {"spans": {}, "rest": ["rate_limited", 4.5]}


async def test_what_was_saved_last_is_loaded(ledger: Ledger) -> None:
    assert await ledger.endpoint_health.load() == []
    await ledger.endpoint_health.save({"local/a/b": FIRST, "groq/c": FIRST})
    await ledger.endpoint_health.save({"groq/c": SECOND})
    found = await ledger.endpoint_health.load()
    assert {each.endpoint: each.health for each in found} == {"local/a/b": FIRST, "groq/c": SECOND}
    for each in found:
        assert abs(utc_now() - each.saved_at) < timedelta(minutes=1)


async def test_what_is_older_than_a_day_is_gone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = utc_now()
    await ledger.endpoint_health.save({"old/a": FIRST})
    monkeypatch.setattr(endpoint_health, "utc_now", lambda: now + timedelta(hours=25))
    assert await ledger.endpoint_health.load() == []
    await ledger.endpoint_health.save({"new/a": SECOND})
    monkeypatch.undo()
    assert [each.endpoint for each in await ledger.endpoint_health.load()] == ["new/a"]
