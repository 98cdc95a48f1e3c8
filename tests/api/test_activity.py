"""`/activity` in OpenRouter's shape, and `/voxgate/activity`, each for whom it is."""

from __future__ import annotations

import csv
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

import voxgate.api.activity
import voxgate.ledger.activity_query
import voxgate.ledger.lifecycle
from tests.api.serving import SCRIPTED, Running, error_of, new_key, recording, serving
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.budget import Amount
from voxgate.ledger.generation import AnsweredBy, Generation, Outcome
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2

    from tests.ledger import postgres
    from voxgate.ledger.key import Key

FIELDS = {
    *("date", "model", "model_permaslug", "endpoint_id", "provider_name", "requests", "usage"),
    *("byok_usage_inference", "prompt_tokens", "completion_tokens", "reasoning_tokens"),
    "cached_tokens",
}
"""All that OpenRouter's schema requires, and one that its documentation requires."""


TODAY = date(2028, 3, 15)
NOON = datetime(2028, 3, 15, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Asking:
    """A server whose ledger has the generations of `GENERATIONS`, and its keys."""

    server: Running
    alice: Key
    bob: Key
    secrets: dict[str, str]

    async def get(self, path: str, key: str = "manager", **params: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.secrets[key]}"}
        return await self.server.client.get(path, params=params, headers=headers)

    async def rows(self, key: str = "manager", **params: str) -> list[dict[str, Any]]:
        answer = await self.get("/voxgate/activity", key, **params)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["data"]
        return rows


GENERATIONS = (  # days ago, key, model, app, status, seconds, latency in ms
    (0, "alice", "a/one", "Notes", 200, 10, 1000),
    (1, "alice", "a/one", "Notes", 200, 20, 2000),
    (1, "alice", "a/one", "Notes", 503, 0, 7),
    (1, "bob", "a/one", "=cmd()", 200, 30, 3000),
    (1, "bob", "a/two", None, 200, 40, 4000),
    (30, "bob", "a/two", None, 200, 50, 5000),
    (31, "bob", "a/two", None, 200, 60, 6000),
)


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day that does not end during a test, soon after a leap day."""
    for module in (voxgate.ledger.activity_query, voxgate.api.activity):
        monkeypatch.setattr(module, "today", lambda: TODAY)
    monkeypatch.setattr(voxgate.ledger.lifecycle, "utc_now", lambda: NOON)


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with asked(tmp_path) as ready:
        yield ready


@asynccontextmanager
async def asked(folder: Path) -> AsyncIterator[Asking]:
    path = folder / "home" / LEDGER_FILE
    async with await Ledger.open(path) as ledger:
        made = {name: await ledger.keys.create(name) for name in ("alice", "bob")}
        hashes = {name: key.hash for name, (key, _) in made.items()}
        for number, (days, name, model, app, status, seconds, latency_ms) in enumerate(GENERATIONS):
            with pytest.MonkeyPatch.context() as patch:
                moment = NOON - timedelta(days=days)
                patch.setattr(voxgate.ledger.lifecycle, "utc_now", lambda: moment)  # noqa: B023
                id_ = f"gen-{number}"
                await ledger.generations.begin(Generation(id_, hashes[name], model, app_title=app))
                outcome = Outcome(
                    status,
                    latency_ms,
                    generation_time_ms=seconds * 50,
                    audio_samples=seconds * 16_000,
                    tokens=seconds,
                    cost=Amount(seconds * 1_000_000),
                    answered_by=AnsweredBy("Local", model),
                )
                await ledger.generations.finish(id_, outcome)
    async with serving(folder) as server:
        secrets = {name: secret for name, (_, secret) in made.items()}
        secrets["manager"] = await new_key(server, "manager", management=True)
        yield Asking(server, made["alice"][0], made["bob"][0], secrets)


async def test_the_last_30_completed_days_as_openrouter_has_them(asking: Asking) -> None:
    answer = await asking.get("/activity")
    assert answer.status_code == 200
    rows = answer.json()["data"]
    assert answer.json().keys() == {"data"}
    assert all(row.keys() == FIELDS for row in rows)
    assert [(row["date"], row["model"], row["requests"]) for row in rows] == [
        (ago(30), "a/two", 1),
        (ago(1), "a/one", 3),
        (ago(1), "a/two", 1),
    ]
    one = rows[1]
    assert (one["model_permaslug"], one["provider_name"]) == ("a/one", "Local")
    assert (one["usage"], one["completion_tokens"]) == (0.05, 50)
    assert rows[0]["endpoint_id"] == rows[2]["endpoint_id"] != one["endpoint_id"]


async def test_a_day_and_a_key_of_it(asking: Asking) -> None:
    day = (await asking.get("/activity", date=ago(1), api_key_hash=asking.bob.hash)).json()
    assert [(row["model"], row["requests"]) for row in day["data"]] == [("a/one", 1), ("a/two", 1)]
    nobody = await asking.get("/activity", api_key_hash="0" * 64)
    assert nobody.json() == {"data": []}


async def test_what_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, auth="off") as server:
        for path, query, says in REFUSED:
            answer = await server.client.get(path, params=query or None)
            assert answer.status_code == 400, (path, query)
            assert says in error_of(answer)["message"]


REFUSED: tuple[tuple[str, dict[str, str], str], ...] = (
    ("/activity", {"date": "today"}, "must be a day as 2026-11-29, not 'today'"),
    ("/activity", {"date": "2026-02-30"}, "must be a day"),
    ("/activity", {"date": "9999-12-31"}, "must be a day"),
    ("/activity", {"date": "2020-01-01"}, "last 30 completed days"),
    ("/activity", {"date": ago(0)}, "last 30 completed days"),
    ("/activity", {"date": ago(31)}, "last 30 completed days"),
    ("/activity", {"api_key_hash": "abc123"}, "64 hexadecimal digits"),
    ("/activity", {"user_id": "u"}, "'user_id' is no filter here"),
    ("/activity", {"workspace_id": "w"}, "'workspace_id' is no filter here"),
    ("/activity", {"group_by": "workspace"}, "'group_by' is no filter here"),
    ("/activity", {"limit": "5"}, "'limit' is no filter here"),
    ("/activity", {"date": "2028-03-16"}, "last 30 completed days"),  # of the future
    ("/activity", {"date": "2028-3-14"}, "must be a day"),
    ("/activity", {"date": "2028-03-14T00:00:00Z"}, "must be a day"),
    ("/activity?date=2028-03-14&date=2028-03-13", {}, "'date' is in the address more than once"),
    ("/voxgate/activity?app=a&app=b", {}, "'app' is in the address more than once"),
    ("/voxgate/activity", {"group_by": "hour"}, "has more than 14 days"),
    ("/voxgate/activity", {"group_by": "hour,app"}, "kept by model and key alone"),
    ("/voxgate/activity", {"group_by": "day,colour"}, "provider, not by 'colour'"),
    ("/voxgate/activity", {"since": "yesterday"}, "'since' must be a day as 2026-11-29"),
    ("/voxgate/activity", {"until": "20261129"}, "'until' must be a day"),
    ("/voxgate/activity", {"since": "2026-11-29", "until": "2026-11-28"}, "Swap them"),
    ("/voxgate/activity", {"format": "xlsx"}, "'format' must be json or csv, not 'xlsx'"),
    ("/voxgate/activity", {"api_key_hash": "x"}, "64 hexadecimal digits"),
    ("/voxgate/activity", {"key": "laptop"}, "'key' is no filter here"),
)


async def test_only_a_management_key_reads_everybodys_activity(asking: Asking) -> None:
    answer = await asking.get("/activity", "alice")
    assert answer.status_code == 403
    assert "The key 'alice' is no management key" in error_of(answer)["message"]


async def test_a_server_without_keys_has_no_managers(tmp_path: Path) -> None:
    async with serving(tmp_path, auth="off") as server:
        await server.post(recording())
        answer = await server.client.get("/voxgate/activity")
        assert (await server.client.get("/activity")).json() == {"data": []}  # today goes on
    (row,) = answer.json()["data"]
    assert (row["day"], row["requests"], row["failures"]) == (ago(0), 1, 0)
    assert row["audio_seconds"] > 1
    assert row["latency_ms"]["p50"] >= 1


async def test_without_keys_a_shared_database_shows_requests_without_a_key_alone(
    tmp_path: Path, server: postgres.Server, migrated: str
) -> None:
    """Others may have their keys there, and their money."""
    shared = server.create(template=migrated)
    url = shared.url.render_as_string(hide_password=False)
    async with await Ledger.open(shared) as ledger:
        key, _ = await ledger.keys.create("of another server")
        await ledger.generations.begin(Generation("gen-other", key.hash, "a/secret"))
        await ledger.generations.finish("gen-other", Outcome(200, 1, cost=Amount(10**9)))
    async with serving(tmp_path, auth="off", database_url=url) as running:
        get = running.client.get
        await running.post(recording())
        body = (await get("/voxgate/activity", params={"group_by": "key,model"})).json()
        refused = await get("/voxgate/activity", params={"api_key_hash": key.hash})
        metrics = await get(f"{running.url}/metrics")
        csv_ = await get("/voxgate/activity", params={"group_by": "model", "format": "csv"})
    (row,) = body["data"]
    assert (row["api_key_hash"], row["key"], row["model"]) == (None, None, SCRIPTED)
    assert (body["total"]["requests"], body["total"]["cost"]) == (1, 0)
    assert error_of(refused)["metadata"]["code"] == "permission_denied"
    assert "the activity of requests without a key alone" in error_of(refused)["message"]
    assert metrics.status_code == 200  # of this process alone
    assert not [text for text in (metrics.text, csv_.text) if "secret" in text]


async def test_sums_by_several_groups(asking: Asking) -> None:
    rows = await asking.rows(group_by="key,model", since=ago(31))
    assert [
        (row["key"], row["model"], row["requests"], row["failures"], row["audio_seconds"])
        for row in sorted(rows, key=lambda row: (row["key"], row["model"]))
    ] == [("alice", "a/one", 3, 1, 30), ("bob", "a/one", 1, 0, 30), ("bob", "a/two", 3, 0, 150)]
    assert {row["api_key_hash"] for row in rows} == {asking.alice.hash, asking.bob.hash}


async def test_a_range_has_both_its_days(asking: Asking) -> None:
    answer = await asking.get("/voxgate/activity", since=ago(30), until=ago(1))
    body = answer.json()
    assert [(row["day"], row["requests"]) for row in body["data"]] == [(ago(30), 1), (ago(1), 4)]
    assert (body["since"], body["until"], body["partial_day"]) == (ago(30), ago(1), None)
    assert (body["total"]["requests"], body["total"]["cost"]) == (5, 0.14)


async def test_the_default_is_the_last_30_days_with_today(asking: Asking) -> None:
    body = (await asking.get("/voxgate/activity")).json()
    assert [row["day"] for row in body["data"]] == [ago(1), ago(0)]
    assert (body["since"], body["partial_day"]) == (ago(29), ago(0))


async def test_percentiles_are_those_of_successes(asking: Asking) -> None:
    (row,) = await asking.rows(group_by="model", model="a/one", since=ago(1))
    assert row["latency_ms"]["p50"] == pytest.approx(2000, rel=0.05)
    assert row["latency_ms"]["p99"] == pytest.approx(3000, rel=0.05)
    assert row["real_time_factor"]["p90"] == pytest.approx(0.05, rel=0.05)


async def test_filters_and_what_a_request_had_none_of(asking: Asking) -> None:
    (row,) = await asking.rows(group_by="app,provider", model="a/two", api_key_hash=asking.bob.hash)
    assert (row["app"], row["provider"], row["requests"]) == (None, "Local", 1)
    assert await asking.rows(app="Notes", model="a/two") == []
    assert await asking.rows(provider="Remote") == []
    (row,) = await asking.rows(group_by="", since=ago(31))
    assert row["requests"] == len(GENERATIONS)


async def test_a_key_sees_only_its_own(asking: Asking) -> None:
    (row,) = await asking.rows("bob", group_by="key", since=ago(31))
    assert (row["key"], row["requests"]) == ("bob", 4)
    own = await asking.rows("bob", group_by="key", since=ago(31), api_key_hash=asking.bob.hash)
    assert own == [row]
    body = (await asking.get("/voxgate/activity", "alice", group_by="model")).json()
    assert [row["model"] for row in body["data"]] == ["a/one"]
    assert body["total"]["requests"] == 3
    answer = await asking.get("/voxgate/activity", "alice", api_key_hash=asking.bob.hash)
    assert answer.status_code == 403
    assert "its own activity alone" in error_of(answer)["message"]


async def test_csv_is_a_table_that_no_spreadsheet_runs(asking: Asking) -> None:
    answer = await asking.get("/voxgate/activity", group_by="app,key", format="csv", since=ago(31))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.endswith("\r\n")
    rows = list(csv.DictReader(StringIO(answer.text, newline="")))
    assert list(rows[0]) == [
        *("app", "api_key_hash", "key", "requests", "failures", "audio_seconds", "cost", "tokens"),
        *("latency_ms_p50", "latency_ms_p75", "latency_ms_p90", "latency_ms_p99"),
        *("real_time_factor_p50", "real_time_factor_p75"),
        *("real_time_factor_p90", "real_time_factor_p99"),
    ]
    assert sorted((row["app"], row["key"], row["requests"], row["cost"]) for row in rows) == [
        ("", "alice", "1", "0.0"),  # the failure, which had no sound
        ("", "bob", "3", "0.15"),
        ("'=cmd()", "bob", "1", "0.03"),
        ("Notes", "alice", "2", "0.03"),
    ]
