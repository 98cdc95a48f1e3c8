"""Signing in with a key: the way of a person, and what attackers try."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import httpx2
import pytest
import pytest_asyncio

from tests.api.serving import new_key, with_key
from tests.web.browsing import looking, pages_served, sign_in
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with pages_served(tmp_path_factory.mktemp("pages")) as running:
        yield running


SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


async def posted_key(server: Running, key: str, **options: str) -> httpx2.Response:
    """Return the answer to a sign-in as a browser sends it."""
    async with httpx2.AsyncClient(base_url=server.url) as client:
        form = {"key": key, **options}
        return await client.post("/sign-in", data=form, headers=SAME_SITE)


async def signed_in(server: Running, key: str = "") -> httpx2.AsyncClient:
    """Return a client with the cookie of a key's sign-in."""
    answer = await posted_key(server, key or server.key)
    assert answer.status_code == 303
    return httpx2.AsyncClient(base_url=server.url, cookies=answer.cookies, headers=SAME_SITE)


async def token(client: httpx2.AsyncClient) -> str:
    page = await client.get("/", headers={"Accept": "text/html"})
    found = re.search(r'name="voxgate-csrf" content="([0-9a-f]+)"', page.text)
    assert found, page.text
    return found[1]


async def test_a_key_typed_once_opens_the_pages_until_sign_out(
    browser: Browser, server: Running
) -> None:
    async with looking(browser, server) as page:
        await sign_in(page, server.key)
        assert await page.get_by_text("first", exact=True).is_visible()
        (cookie,) = await page.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        assert server.key not in cookie["value"]
        assert await page.evaluate("document.cookie") == ""
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("link", name="Sign in").wait_for()
        assert await page.context.cookies() == []


async def test_a_wrong_key_is_told_on_the_form(browser: Browser, tmp_path: Path) -> None:
    async with pages_served(tmp_path) as server:
        answer = await posted_key(server, "sk-vg-wrong")
        assert answer.status_code == 401
        assert "not valid here" in answer.text
        assert "set-cookie" not in answer.headers
        many = await asyncio.gather(*(posted_key(server, "sk-vg-wrong") for _ in range(60)))
        (refused, *_) = (answer for answer in many if answer.status_code == 429)
        assert "too many wrong keys" in refused.text
        assert (await posted_key(server, server.key)).status_code == 303


@pytest.mark.parametrize(
    "next_",
    [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "\\/evil.example",
        "x",
        "/" + "a" * 1000,
    ],
)
async def test_a_sign_in_leads_to_a_page_of_this_server(server: Running, next_: str) -> None:
    answer = await posted_key(server, server.key, next=next_)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_key_that_no_longer_works_ends_its_sessions(server: Running) -> None:
    secret = await new_key(server, "second")
    async with await signed_in(server, secret) as client:
        assert "Sign out" in (await client.get("/")).text
        async with await Ledger.open(server.settings.home / LEDGER_FILE) as ledger:
            await ledger.keys.edit("second", disabled=True)
        assert "Sign out" not in (await client.get("/")).text


@pytest.mark.parametrize("change", ["flip", "cut", "empty", "other server"])
async def test_a_forged_cookie_opens_nothing(tmp_path: Path, change: str) -> None:
    async with pages_served(tmp_path / "one") as server:
        client = await signed_in(server)
        ((name, value),) = client.cookies.items()
        await client.aclose()
        if change == "other server":
            async with pages_served(tmp_path / "two") as other:
                client = await signed_in(other)
                ((_, value),) = client.cookies.items()
                await client.aclose()
        kept, _, signature = value.rpartition(".")
        # Its first character: of the last one two bits mean nothing.
        flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
        forged = {
            "flip": f"{kept}.{flipped}",
            "cut": value.partition(".")[0],
            "empty": "",
        }.get(change, value)
        async with httpx2.AsyncClient(base_url=server.url, cookies={name: forged}) as client:
            assert "Sign out" not in (await client.get("/")).text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_a_form_of_another_site_does_nothing(
    server: Running, headers: dict[str, str]
) -> None:
    async with await signed_in(server) as client:
        form = {"csrf": await token(client)}
        del client.headers["sec-fetch-site"]
        answer = await client.post("/sign-out", data=form, headers=headers)
        assert answer.status_code == 403
        assert "another site" in answer.text
        assert "Sign out" in (await client.get("/")).text


async def test_a_form_without_its_session_s_token_does_nothing(server: Running) -> None:
    async with await signed_in(server) as client:
        async with await signed_in(server) as earlier:
            others = await token(earlier)
        for form in ({"csr": "f"}, {"csrf": ""}, {"csrf": others}):
            answer = await client.post("/sign-out", data=form)
            assert answer.status_code == 403
            assert "Load the page again" in answer.text


async def test_a_script_of_the_page_calls_the_api_by_the_sign_in(server: Running) -> None:
    async with await signed_in(server) as client:
        asked = {"X-Voxgate-Csrf": await token(client)}
        own = await server.client.get("/key")
        assert (await client.get("/api/v1/key", headers=asked)).json() == own.json()
        assert (await client.get("/api/v1/key")).status_code == 401
        wrong = {"X-Voxgate-Csrf": "0" * 64}
        assert (await client.get("/api/v1/key", headers=wrong)).status_code == 401
        other = with_key(await new_key(server, "other"))
        by_key = await client.get("/api/v1/key", headers=asked | other)
        assert (
            by_key.json() == (await server.client.get("/key", headers=other)).json() != own.json()
        )


@pytest.mark.parametrize(
    "others", ['prefs={"a":1,"b":[2]}', "a=b c", "lone", "x=\xe4", "a[b]=1", "k@x=1"]
)
async def test_cookies_of_other_applications_do_not_sign_a_script_out(
    server: Running, others: str
) -> None:
    async with await signed_in(server) as client:
        (own,) = [f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar]
        asked = await token(client)
        client.cookies.clear()
        headers = {
            b"X-Voxgate-Csrf": asked.encode(),
            b"Cookie": f"{others}; {own}".encode("latin-1"),
        }
        answer = await client.get("/api/v1/key", headers=headers)
        assert answer.status_code == 200, answer.text


async def test_a_page_keeps_to_itself(server: Running) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        for path, status in (("/sign-in", 200), ("/no-such-page", 404)):
            page = await client.get(path, headers={"Accept": "text/html"})
            assert page.status_code == status
            policy = page.headers["content-security-policy"]
            assert "script-src 'self';" in policy
            assert "frame-ancestors 'none'" in policy
            assert page.headers["x-frame-options"] == "DENY"
            assert "no-store" in page.headers["cache-control"]
            assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=", page.text)


async def test_a_form_is_small_and_well_formed(server: Running) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        large = await client.post("/sign-in", data={"key": "x" * 70_000}, headers=SAME_SITE)
        assert large.status_code == 413
        strange = await client.post("/sign-in", json={"key": "x"}, headers=SAME_SITE)
        assert strange.status_code == 400
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        broken = await client.post("/sign-in", content=b"key=%ff%fe", headers=SAME_SITE | kind)
        assert broken.status_code == 400


@pytest.mark.parametrize("path", ["../session_cookie.py", "%2e%2e/%2e%2e/errors.py", "installed"])
async def test_only_assets_are_served(server: Running, path: str) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        page = await client.get("/sign-in")
        found = re.search(r'href="(/static/[0-9a-f]+/)style\.css"', page.text)
        assert found
        sheet = await client.get(f"{found[1]}style.css")
        assert sheet.status_code == 200
        assert "immutable" in sheet.headers["cache-control"]
        assert (await client.get(found[1] + path)).status_code == 404
        assert (await client.get("/static/0123456789abcdef/style.css")).status_code == 404


async def test_two_servers_of_one_home_take_the_same_cookie(server: Running) -> None:
    async with (
        pages_served(server.settings.home.parent) as again,
        await signed_in(server) as client,
    ):
        assert "Sign out" in (await client.get(f"{again.url}/")).text


async def test_servers_with_one_secret_take_each_other_s_cookies_and_an_older_one_s(
    tmp_path: Path,
) -> None:
    new, old, other = b"n" * 32, b"o" * 32, b"x" * 32
    async with pages_served(tmp_path / "one", page_secret=(old,)) as server:
        key = await new_key(server, "shared")
        async with await signed_in(server, key) as client:
            cookies, form = client.cookies, {"csrf": await token(client)}
        for secrets, known in (((old,), True), ((new, old), True), ((other,), False)):
            async with (
                pages_served(tmp_path / "one", page_secret=secrets) as behind,
                httpx2.AsyncClient(base_url=behind.url, cookies=cookies) as client,
            ):
                assert ("Sign out" in (await client.get("/")).text) is known
        async with pages_served(tmp_path / "one", page_secret=(old,)) as behind:
            client = httpx2.AsyncClient(base_url=behind.url, cookies=cookies, headers=SAME_SITE)
            async with client:
                assert (await client.post("/sign-out", data=form)).status_code == 303
    assert not (tmp_path / "one" / "home" / "sign-in.secret").exists()


async def test_a_sign_in_makes_a_new_session_whatever_cookie_there_was(server: Running) -> None:
    async with await signed_in(server) as attacker:
        planted, theirs = attacker.cookies, await token(attacker)
    other = await new_key(server, "fixed")
    async with httpx2.AsyncClient(
        base_url=server.url, cookies=planted, headers=SAME_SITE
    ) as victim:
        answer = await victim.post("/sign-in", data={"key": other})
        assert answer.status_code == 303
        ((_, value),) = answer.cookies.items()
        assert value not in planted.values()
        victim.cookies = answer.cookies
        assert await token(victim) != theirs
        assert "fixed" in (await victim.get("/")).text


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
async def test_over_tls_a_cookie_is_for_tls_alone(
    server: Running, scheme: str, secure: bool
) -> None:
    """A proxy on this machine says in `X-Forwarded-Proto` how its client came."""
    async with httpx2.AsyncClient(base_url=server.url) as client:
        answer = await client.post(
            "/sign-in",
            data={"key": server.key},
            headers=SAME_SITE | {"X-Forwarded-Proto": scheme},
        )
        (cookie,) = answer.headers.get_list("set-cookie")
        parts = {part.strip().lower() for part in cookie.split(";")}
        assert ("secure" in parts) is secure
        assert {"httponly", "samesite=strict", "path=/"} <= parts
        assert "max-age=28800" in parts
