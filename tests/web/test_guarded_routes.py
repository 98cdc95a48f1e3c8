"""Each route of the pages, and what it tells to whom: somebody unknown, another key, the owner."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import pytest
import pytest_asyncio

from tests.api.serving import FILE, SCRIPTED, new_key, with_key
from tests.scripted import Scripted
from tests.web.browsing import pages_served
from tests.web.signed_in import PEOPLE, SAME_SITE, signed_in, token
from voxgate.ledger.key import hash_of
from voxgate.web.mount import PAGES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

APP = "the first one's app"
ROUTES = [(method, path) for method, path, _ in PAGES]
FOR_OWNERS = ("/owner", "/account/keys")
OPEN = ("/sign-in", "/sign-out", "/models", "/compare")


@dataclass
class Guarded:
    """A server on which one key was used, with visitors that are not its owner."""

    server: Running
    parts: dict[str, str]
    visitors: dict[str, httpx2.AsyncClient]

    def address(self, path: str) -> str:
        """Return an address in which each name in braces is a thing of the first key."""
        return re.sub(r"{(\w+)(?::\w+)?}", lambda name: self.parts[name[1]], path)

    def tells(self, answer: httpx2.Response) -> list[str]:
        """Return what an answer says of the first key besides what was asked for."""
        asked = str(answer.request.url)
        secrets = (APP, self.parts["id"], self.parts["hash"])
        return [each for each in secrets if each in answer.text and each not in asked]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    async with pages_served(tmp_path_factory.mktemp("guarded"), Scripted()) as server:
        owner = await new_key(server, "owner", management=True)
        used = await new_key(server, "used")
        answer = await server.client.post(
            "/audio/transcriptions",
            files=FILE,
            data={"model": SCRIPTED},
            headers=with_key(used) | {"X-Title": APP},
        )
        assert answer.status_code == 200, answer.text
        parts = {
            "id": answer.headers["x-generation-id"],
            "hash": hash_of(used),
            **dict.fromkeys(("name", "names"), SCRIPTED),
        }
        async with (
            httpx2.AsyncClient(base_url=server.url, headers=SAME_SITE | PEOPLE) as unknown,
            await signed_in(server) as other,
            await signed_in(server, owner) as manager,
        ):
            visitors = {"unknown": unknown, "other": other, "manager": manager}
            yield Guarded(server, parts, visitors)


@pytest.mark.parametrize("visitor", ["unknown", "other", "manager"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_route_keeps_to_its_visitor(
    guarded: Guarded, method: str, path: str, visitor: str
) -> None:
    """Whatever it answers, nothing runs in it, frames it, keeps it or guesses what it is."""
    client, address = guarded.visitors[visitor], guarded.address(path)
    answer = await client.request(method, address)
    assert answer.status_code < 500, answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "'unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "no-store" in answer.headers["cache-control"]
    if visitor == "manager":
        return
    assert guarded.tells(answer) == []
    if visitor == "unknown" and path != "/" and not path.startswith(OPEN):
        assert answer.status_code in {303, 401}
    elif visitor == "other" and path.startswith(FOR_OWNERS):
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "address",
    [
        "/account/generations?key={hash}",
        "/account/generations?before={id}",
        "/account/generations?model=" + SCRIPTED,
        "/account/usage?by=app",
        "/account/usage?by=key",
        "/account/usage.csv?by=app",
        "/account/usage.csv?by=key",
        f"/models/{SCRIPTED}/apps",
        f"/models/{SCRIPTED}/activity?period=48h",
        "/api/v1/generation?id={id}",
        "/api/v1/generation/content?id={id}",
        "/api/v1/keys/{hash}",
        "/api/v1/activity?group_by=app",
    ],
)
async def test_an_address_shows_no_other_key_s_things(guarded: Guarded, address: str) -> None:
    address = guarded.address(address)
    for client in (guarded.visitors["unknown"], guarded.visitors["other"]):
        asked = {"X-Voxgate-Csrf": await token(client)}
        assert guarded.tells(await client.get(address, headers=asked)) == []
    shown = await guarded.visitors["manager"].get(address)
    assert shown.status_code < 500


@pytest.mark.parametrize("path", sorted({path for method, path in ROUTES if method == "POST"}))
async def test_a_form_of_nobody_s_page_does_nothing(guarded: Guarded, path: str) -> None:
    client, address = guarded.visitors["manager"], guarded.address(path)
    own = await token(client)
    for headers in ({"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site"}):
        sent = {"csrf": own, "key": guarded.server.key}
        assert (await client.post(address, data=sent, headers=headers)).status_code == 403
    if path != "/sign-in":  # which is a page of nobody
        other = await token(guarded.visitors["other"])
        for forged in ("", "0" * 64, other):
            answer = await client.post(address, data={"csrf": forged})
            assert answer.status_code == 403, forged


async def test_what_is_no_page_is_guarded_too(guarded: Guarded) -> None:
    client = guarded.visitors["unknown"]
    sheet = re.search(r'href="([^"]+style\.css)"', (await client.get("/sign-in")).text)
    assert sheet
    for accept in ("text/html", "*/*"):
        for path in (sheet[1], "/no-such-page", "/static/0/x.js", "/sign-out"):
            answer = await client.get(path, headers={"Accept": accept})
            assert answer.status_code == (
                200 if path == sheet[1] else 405 if "out" in path else 404
            )
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert (await client.get("/sign-out", headers={"Accept": "text/html"})).headers["allow"]


async def test_the_documentation_of_the_api_is_in_no_frame_either(guarded: Guarded) -> None:
    for path in ("/docs", "/redoc"):
        answer = await guarded.visitors["unknown"].get(path)
        assert answer.status_code == 200
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"


@pytest.mark.parametrize(
    ("referer", "next_"),
    [
        ("{url}/owner/models?x=1", "/owner/models%3Fx%3D1"),
        ("https://evil.example/owner", "/"),
        ("http://[", "/"),
        ("", "/"),
    ],
)
async def test_who_sends_a_form_after_the_sign_in_ended_comes_back_to_its_page(
    guarded: Guarded, referer: str, next_: str
) -> None:
    client = guarded.visitors["unknown"]
    headers = {"Referer": referer.format(url=guarded.server.url)}
    answer = await client.post("/owner/load", data={"model": "x"}, headers=headers)
    assert answer.headers["location"] == f"/sign-in?next={next_}"
