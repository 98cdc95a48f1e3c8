"""`GET /generation`, which only the key that made a request may read."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.api.serving import Gate, error_of, recording, serving
from tests.ledger.other_process import sql
from tests.processes import until
from tests.scripted import Scripted
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.columns import utc_now
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path


async def test_generations_belong_to_their_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        id_ = (await server.post(recording())).headers["x-generation-id"]
        data = (await server.client.get("/generation", params={"id": id_})).json()["data"]
        assert data["id"] == id_
        assert data["model"] == "scripted/one"
        assert data["provider_responses"][0]["status"] == 200
        async with await Ledger.open(server.settings.home / "ledger.sqlite3") as ledger:
            _, other = await ledger.keys.create("other")
        stranger = {"Authorization": f"Bearer {other}"}
        answer = await server.client.get("/generation", params={"id": id_}, headers=stranger)
        assert answer.status_code == 404
        error_of(answer)


async def test_one_under_way_has_its_provider(tmp_path: Path) -> None:
    """It keeps it when its server is killed, and another one ends it."""
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider) as server:
        work = asyncio.create_task(server.post(recording()))
        await until(lambda: provider.running == 1, "the work")
        ((id_,),) = sql(server.settings.home / LEDGER_FILE, "SELECT id FROM generations")
        data = (await server.client.get("/generation", params={"id": id_})).json()["data"]
        gate.open.set()
        await work
    assert (data["provider_name"], data["status"], data["latency"]) == ("Local", None, None)


async def test_old_generations_are_deleted_while_the_server_runs(tmp_path: Path) -> None:
    path = tmp_path / "home" / LEDGER_FILE
    async with await Ledger.open(path) as ledger:
        for name, days in (("old", 8), ("new", 6)):
            created = utc_now() - timedelta(days=days)
            await ledger.generations.begin(Generation(name, None, "a/b", created_at=created))
            await ledger.generations.finish(name, Outcome(200, 1))
    async with serving(tmp_path, generations_days=7.0):
        await until(lambda: sql(path, "SELECT id FROM generations") == [("new",)], "the deletion")
    assert sql(path, "SELECT sum(requests) FROM usage_days") == [(2,)]
