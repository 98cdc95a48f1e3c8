"""Uptime is never told better than it was, and not at all of too little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.api.serving import ALIAS, SCRIPTED, error_of, serving
from voxgate.api.model_uptime import MIN_IN_AN_HOUR, ModelUptime, model_uptime
from voxgate.ledger.endpoint_hours import HourOfEndpoint
from voxgate.ledger.usage_hours import UsageHour

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 28, 14, 20, tzinfo=UTC)
HOUR = datetime(2026, 11, 28, 14, tzinfo=UTC)
A, B = "local/a", "remote/a"


def ago(hours: int) -> datetime:
    return HOUR - timedelta(hours=hours)


def met(hour: datetime, answered: int, saved: int, unavailable: int) -> UsageHour:
    return UsageHour(hour, 0, 0, 0, 0, 0, answered, saved, unavailable)


def of(
    usage: list[UsageHour], attempts: dict[tuple[str, datetime], tuple[int, int]]
) -> ModelUptime:
    counted = {HourOfEndpoint(*key): count for key, count in attempts.items()}
    return model_uptime([A, B], usage, counted, NOW)


def test_percentages_are_rounded_down() -> None:
    found = of(
        [met(HOUR, 29_999, 10_000, 1), met(ago(1), 2, 0, 1)],
        {(A, HOUR): (99_999, 1), (B, ago(71)): (1, 2), (A, ago(72)): (0, 100)},
    )
    assert found.availability_percent == 99.99
    assert found.hours[-1].percent == 99.99
    assert found.routing[-1].without_routing_percent == 66.66
    assert found.routing[-2].without_routing_percent == 66.66
    assert found.saved == 10_000
    local, remote = found.endpoints
    assert (local.percent, remote.percent) == (99.99, None)  # of three attempts there is none
    assert remote.hours[0].percent == 33.33
    assert found.uptime_percent == 99.99  # what is older than 72 hours has no part in it


def test_an_hour_with_too_little_is_a_gap() -> None:
    few = MIN_IN_AN_HOUR - 1
    found = of([met(HOUR, few, 0, 0)], {(A, HOUR): (few, 0)})
    assert [each.hour for each in found.hours] == [ago(hours) for hours in range(71, -1, -1)]
    assert [each.hour for each in found.routing] == [ago(hours) for hours in range(23, -1, -1)]
    assert not [each for each in found.hours if each.percent is not None]
    assert not [each for own in found.endpoints for each in own.hours if each.percent is not None]
    assert found.routing[-1].availability_percent is None
    assert (found.availability_percent, found.uptime_percent, found.saved) == (None, None, 0)


async def test_a_model_that_nobody_asked_for_has_gaps_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.client.headers.pop("authorization")  # health is for everybody
        answer = await server.client.get(f"/models/{ALIAS}/uptime")
        data = answer.json()["data"]
        assert (data["availability"], data["uptime"]) == (None, None)
        assert (len(data["hourly"]), len(data["buckets"])) == (72, 24)
        assert {each["availability"] for each in data["hourly"]} == {None}
        (endpoint,) = data["voxgate"]["endpoints"]
        assert endpoint["endpoint"] == f"local/{SCRIPTED}"
        absent = await server.client.get("/models/nobody/nothing/uptime")
        assert absent.status_code == 404
        assert "nobody/nothing" in error_of(absent)["message"]
