"""Browsers at the server: its first page, and pages of other sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.serving import FILE, error_of, new_key, recording, serving, with_key
from voxgate.api.app import EXPOSED_HEADERS
from voxgate.prices import parse_prices

if TYPE_CHECKING:
    from pathlib import Path

SITE = "https://app.example"
READABLE = {"content-type", "content-length"}  # by every page: the Fetch standard's safelist
FOR_THE_BROWSER = {
    *("date", "vary", "connection", "transfer-encoding", "x-content-type-options"),
    "www-authenticate",
}
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


async def test_a_path_that_is_not_there_names_the_documentation(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        assert (await server.client.get(f"{server.url}/docs")).status_code == 200
        program = await server.client.get(f"{server.url}/")
        assert "/docs" in error_of(program)["message"]


async def test_no_page_of_another_site_calls_the_server_by_default(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        answer = await server.post(recording(), headers={"Origin": SITE})
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_pages_of_an_allowed_site_call_the_server(tmp_path: Path) -> None:
    async with serving(tmp_path, cors_origins=(SITE,)) as server:
        path, origin = "/audio/transcriptions", {"Origin": SITE}
        asked = await server.client.options(path, headers=origin | PREFLIGHT)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == SITE
        assert "authorization" in asked.headers["access-control-allow-headers"]
        answer = await server.post(recording(), headers=origin)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == SITE
        assert "x-generation-id" in answer.headers["access-control-expose-headers"].lower()
        refused = await server.post({}, headers=origin | {"Authorization": "Bearer nobody"})
        assert error_of(refused)["code"] == 401
        assert refused.headers["access-control-allow-origin"] == SITE  # the page reads the error
        other = await server.client.options(path, headers={"Origin": "https://a.b"} | PREFLIGHT)
        assert other.status_code == 400
        assert "access-control-allow-origin" not in other.headers


async def test_a_page_may_read_every_header_that_says_something(tmp_path: Path) -> None:
    prices = parse_prices("* = 1/hour", "this test")
    async with serving(tmp_path, cors_origins=(SITE,), keep_files=True, prices=prices) as server:
        server.client.headers["Origin"] = SITE
        limited = with_key(await new_key(server, "limited", requests_per_minute=1))
        kept = (await server.client.post("/files", files=FILE)).json()["id"]
        answers = [
            await server.post(recording(seed=1, unknown=True)),
            await server.post(recording(b"nothing")),
            *[await server.post(recording(), headers=limited) for _ in range(2)],
            await server.client.get(f"/files/{kept}/content"),
            await server.client.get("/voxgate/activity?format=csv"),
            await server.post({}, headers=with_key("nobody")),
        ]
    assert [answer.status_code for answer in answers] == [200, 400, 200, 429, 200, 200, 401]
    found = set[str]()
    for answer in answers:
        exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
        named = {name for name in answer.headers if not name.startswith("access-control-")}
        assert named <= {*READABLE, *FOR_THE_BROWSER, *exposed}
        found |= named & set(exposed)
    assert found == {name.lower() for name in EXPOSED_HEADERS}


async def test_pages_of_an_allowed_site_may_use_every_method(tmp_path: Path) -> None:
    async with serving(tmp_path, cors_origins=(SITE,)) as server:
        for method in ("GET", "HEAD", "POST", "DELETE"):
            asking = {"Origin": SITE, "Access-Control-Request-Method": method}
            assert (await server.client.options("/files/a", headers=asking)).status_code == 200
        plain = await server.client.options("/files/a", headers={"Origin": SITE})
        assert plain.headers["allow"] == "GET, DELETE, HEAD, OPTIONS"
        assert plain.headers["access-control-allow-origin"] == SITE


async def test_every_site_is_allowed_without_cookies(tmp_path: Path) -> None:
    async with serving(tmp_path, cors_origins=("*",)) as server:
        cookie = {"Origin": SITE, "Cookie": "a=b"}
        answer = await server.post(recording(), headers=cookie)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


async def test_without_keys_only_a_named_site_is_served(tmp_path: Path) -> None:
    async with serving(tmp_path, auth="off", cors_origins=(SITE,)) as server:
        assert (await server.post(recording(), headers={"Origin": SITE})).status_code == 200
        other = await server.post(recording(), headers={"Origin": "https://evil.example"})
        assert error_of(other)["code"] == 403
