"""HEAD and OPTIONS on every route of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.api.serving import SCRIPTED, Running, error_of, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

GET = "GET, HEAD, OPTIONS"
POST = "POST, OPTIONS"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


async def routes(server: Running) -> list[tuple[str, set[str]]]:
    """Every path of the server's own schema, for the scripted model, with its methods."""
    schema = (await server.client.get("/openapi.json")).json()
    paths = schema["paths"].items()
    return [
        (path.replace("{model}", SCRIPTED).replace("{name}", SCRIPTED), set(methods))
        for path, methods in paths
    ]


async def test_every_route_tells_its_methods(server: Running) -> None:
    for path, methods in await routes(server):
        answer = await server.client.options(server.url + path)
        assert answer.status_code == 204, path
        assert not answer.content
        allowed = {name.lower() for name in answer.headers["allow"].split(", ")}
        assert allowed == methods | {"options"} | ({"head"} if "get" in methods else set())


async def test_head_is_get_without_its_body(server: Running) -> None:
    for path, methods in await routes(server):
        url = server.url + path
        head = await server.client.head(url)
        assert not head.content
        if "get" not in methods:
            assert (head.status_code, head.headers["allow"]) == (405, POST)
            continue
        answer = await server.client.get(url)
        assert head.status_code == answer.status_code, path
        assert head.headers["content-length"] == answer.headers["content-length"]
        assert head.headers["content-type"] == answer.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/v1/models/scripted%2Fone", GET),
        ("/v1/models/scripted/one/", GET),
        ("/v1/models", GET),
        ("/v1/audio/transcriptions/", POST),
        ("/docs", GET),
    ],
)
async def test_paths_as_clients_write_them(server: Running, path: str, allowed: str) -> None:
    answer = await server.client.options(server.url + path)
    assert (answer.status_code, answer.headers["allow"]) == (204, allowed)
    wrong = await server.client.patch(server.url + path)
    assert error_of(wrong)["code"] == 405
    assert wrong.headers["allow"] == allowed


async def test_a_path_that_is_not_there(server: Running) -> None:
    assert (await server.client.head("/nothing")).status_code == 404
    assert error_of(await server.client.options("/nothing"))["code"] == 404
    assert (await server.client.head("/models/scripted%2Ftwo")).status_code == 404
