"""A wrong key is refused before anything else of a request is looked at, on every route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.serving import serving
from voxgate.api.wrong_keys import MOST

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

WRONG = {"Authorization": "Bearer sk-vg-nobody", "Content-Type": "x/" + "y" * 300}
OPEN = {"/healthz", "/readyz"}  # which ask for no key
HIDDEN = {("POST", "/load")}  # which the schema does not have


async def routes(client: httpx2.AsyncClient, url: str) -> set[tuple[str, str]]:
    paths = (await client.get(f"{url}/api/v1/openapi.json")).json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


async def test_a_wrong_key_comes_before_every_other_fault(tmp_path: Path) -> None:
    async with serving(tmp_path / "schema") as server:
        found = await routes(server.client, server.url)
    asked = [route for route in sorted(found | HIDDEN) if route[1] not in OPEN]
    assert len(asked) > 20
    statuses = {}
    for first in range(0, len(asked), MOST):  # more wrong keys from one address are a 429
        async with serving(tmp_path / str(first)) as server:
            for method, path in asked[first : first + MOST]:
                address = server.url + path.replace("{", "no-such-").replace("}", "")
                answer = await server.client.request(
                    method, f"{address}?page=x&expiry=x&model=%00", headers=WRONG, content=b"\xff{"
                )
                statuses[method, path] = answer.status_code
    assert statuses == dict.fromkeys(asked, 401)
