"""`GET /generation`, which only the key that made a request may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.serving import error_of, recording, serving
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
