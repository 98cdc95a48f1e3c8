"""Whether a server lives and is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.serving import Gate, post_and_disconnect, recording, serving
from tests.processes import until
from tests.scripted import Scripted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ledger.postgres import Server


async def test_a_server_that_takes_work_is_alive_and_ready(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        for path in ("healthz", "readyz"):
            answer = await server.client.get(f"{server.url}/{path}", headers={"Authorization": ""})
            assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_one_that_stops_is_neither(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider) as server:
        await post_and_disconnect(server, recording(), provider)
        server.server.stop()
        for path in ("healthz", "readyz"):
            answer = await server.client.get(f"{server.url}/{path}")
            assert (answer.status_code, answer.json()["status"]) == (503, "stopping")
        gate.open.set()
        await until(lambda: provider.running == 0, "the end")


async def test_one_without_its_ledger_is_alive_and_not_ready(
    tmp_path: Path, server: Server
) -> None:
    address = server.create()
    url = address.url.render_as_string(hide_password=False)
    async with serving(tmp_path, database_url=url) as running:
        server.execute(
            server.address("postgres"),
            f'ALTER DATABASE "{address.url.database}" ALLOW_CONNECTIONS false',
        )
        server.execute(server.address("postgres"), TERMINATE)
        alive = await running.client.get(f"{running.url}/healthz")
        ready = await running.client.get(f"{running.url}/readyz")
        assert alive.status_code == 200
        assert (ready.status_code, ready.json()["status"]) == (503, "ledger_failed")
        server.execute(
            server.address("postgres"),
            f'ALTER DATABASE "{address.url.database}" ALLOW_CONNECTIONS true',
        )
        assert (await running.client.get(f"{running.url}/readyz")).status_code == 200


TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'voxgate'
"""
