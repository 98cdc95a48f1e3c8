"""Keys, made, changed, stopped and revoked on their pages."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.api.serving import FILE, SCRIPTED, new_key, with_key
from tests.ledger.other_process import sql
from tests.web.browsing import looking, pages_served, sign_in
from tests.web.signed_in import signed_in, token
from voxgate.configuration.file import ConfigFile
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.key import hash_of
from voxgate.ledger.key_tables import KeyList
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with pages_served(tmp_path_factory.mktemp("keys")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def manager(server: Running) -> str:
    return await new_key(server, "manager", management=True)


async def sends(server: Running, key: str) -> int:
    """Return the status of a recording that is sent with a key."""
    sent = await server.client.post(
        "/audio/transcriptions", files=FILE, data={"model": SCRIPTED}, headers=with_key(key)
    )
    return sent.status_code


async def test_a_key_is_made_shown_once_changed_stopped_and_revoked(
    browser: Browser, server: Running, manager: str
) -> None:
    async with looking(browser, server) as page:
        await sign_in(page, manager)
        await page.goto("/account/keys")
        await page.get_by_role("link", name="Make a key").click()
        await page.get_by_label("Name").fill("news desk")
        await page.get_by_label("Limit of money").fill("5.00")
        await page.get_by_label("Limit of sound").fill("90")
        await page.get_by_label("The limits begin again").select_option("weekly")
        await page.get_by_label("Labels").fill("team=news, floor=2")
        await page.get_by_role("button", name="Make the key").click()
        secret = await page.locator("#secret").inner_text()
        assert secret not in page.url
        assert await sends(server, secret) == 200

        await page.get_by_role("link", name="I have it").click()
        assert secret not in await page.content()
        row = page.get_by_role("row").filter(has_text="news desk")
        assert "$0.00 of $5.00 weekly" in await row.inner_text()
        assert "10.4 s" in await row.inner_text()
        await row.get_by_role("link", name="news desk").click()
        await page.get_by_label("Name").fill("the newsroom")
        await page.get_by_label("Limit of money").fill("")
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("heading", name="the newsroom").wait_for()
        assert secret not in await page.content()
        async with await Ledger.open(server.settings.home / LEDGER_FILE) as ledger:
            changed = await ledger.keys.with_hash(hash_of(secret))
        assert changed is not None
        assert changed.labels == ("team=news", "floor=2")
        assert changed.budget is not None
        assert changed.budget.limit_nanodollars is None
        assert changed.budget.limit_samples == 90 * 60 * 16_000

        await page.get_by_role("button", name="Disable").click()
        await page.get_by_text("disabled", exact=True).wait_for()
        assert await sends(server, secret) == 401
        await page.get_by_role("button", name="Let it work again").click()
        await page.get_by_role("button", name="Disable").wait_for()
        assert await sends(server, secret) == 200
        await page.get_by_role("link", name="Revoke").click()
        await page.get_by_role("button", name="Revoke the newsroom").click()
        await page.wait_for_url("**/account/keys")
        assert await sends(server, secret) == 401
        assert await page.get_by_text("the newsroom").count() == 0
        await page.get_by_role("link", name="revoked").click()
        assert await page.get_by_text("the newsroom").is_visible()


async def test_the_page_of_a_new_key_is_not_kept_and_a_reload_makes_no_other(
    server: Running, manager: str
) -> None:
    async with await signed_in(server, manager) as client:
        form = {"csrf": await token(client), "name": "once"}
        made = await client.post("/account/keys", data=form)
        assert made.status_code == 200
        assert made.headers["cache-control"] == "private, no-store"
        assert "sk-vg-" in made.text
        again = await client.post("/account/keys", data=form)
        assert again.status_code == 400
        assert "already exists" in again.text
        assert "sk-vg-" not in again.text.replace("sk-vg-...", "")
        listed = await client.get("/account/keys")
        assert listed.text.count(">once<") == 1


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("name", "", "1 to 100 printable characters"),
        ("limit", "much", "dollars, as 5.00"),
        ("limit", "-1", "dollars, as 5.00"),
        ("minutes", "NaN", "minutes of sound"),
        ("reset", "hourly", "daily, weekly or monthly"),
        ("reset", "daily", "A period without a limit"),
        ("expires", "tomorrow", "a time, as"),
        ("expires", "2020-01-01T00:00", "expired from the start"),
        ("rate", "0", "1 to 10,000"),
        ("recordings", "1.5", "a whole number"),
        ("keep", "3", "VOXGATE_TRANSCRIPT_KEY"),
        ("labels", "x" * 51, "A label has 1 to 50"),
        ("user", "x" * 300, "1 to 256 printable characters"),
        ("rate", ATTACK, "a whole number"),
    ],
)
async def test_a_wrong_value_is_told_beside_its_field(
    server: Running, manager: str, field: str, text: str, told: str
) -> None:
    async with await signed_in(server, manager) as client:
        form = {"csrf": await token(client), "name": "wrong", field: text}
        answer = await client.post("/account/keys", data=form)
        assert answer.status_code == 400
        beside = answer.text.partition(f'id="{field}-told" class="fault">')[2].partition("</p>")[0]
        assert told in html.unescape(beside)
        assert "<script>" not in answer.text
        assert "<img" not in answer.text
        assert ">wrong<" not in (await client.get("/account/keys")).text


async def test_an_expired_key_is_changed_without_touching_its_end(
    server: Running, manager: str
) -> None:
    hash_ = hash_of(await new_key(server, "short"))
    past = "UPDATE keys SET expires_at = '2026-01-01 00:00:00.000000' WHERE name = 'short'"
    sql(server.settings.home / LEDGER_FILE, past)
    async with await signed_in(server, manager) as client:
        page = await client.get(f"/account/keys/{hash_}")
        expires = re.search(r'name="expires" type="datetime-local" value="([^"]+)"', page.text)
        assert expires
        form = {"csrf": await token(client), "name": "renamed", "expires": expires[1]}
        assert (await client.post(f"/account/keys/{hash_}", data=form)).status_code == 303
        form["expires"] = "2020-01-01T00:00"
        answer = await client.post(f"/account/keys/{hash_}", data=form)
        assert answer.status_code == 400
        assert "expired from the start" in answer.text


async def test_a_management_key_has_no_limits(server: Running, manager: str) -> None:
    async with await signed_in(server, manager) as client:
        form = {"csrf": await token(client), "name": "both", "limit": "1", "management": "1"}
        answer = await client.post("/account/keys", data=form)
        assert answer.status_code == 400
        assert "A management key does not transcribe" in answer.text


async def test_names_that_are_markup_are_text(
    browser: Browser, server: Running, manager: str
) -> None:
    secret = await new_key(server, ATTACK, labels=["<b>x</b>"], external_user=ATTACK)
    async with looking(browser, server) as page:
        await sign_in(page, manager)
        for path in ("", f"/{hash_of(secret)}", f"/{hash_of(secret)}/revoke"):
            await page.goto(f"/account/keys{path}")
            assert ATTACK in await page.locator("main").inner_text()
            assert await page.locator("main img, main script, main b").count() == 0
    async with await signed_in(server, secret) as client:
        assert "<img" not in (await client.get("/account")).text


@pytest.mark.parametrize(
    "path", ["/account/keys", "/account/keys/new", "/account/keys/{}", "/account/keys/{}/revoke"]
)
async def test_keys_are_for_those_who_manage_them(server: Running, path: str) -> None:
    async with await signed_in(server) as client:
        answer = await client.get(path.format(hash_of(server.key)))
        assert answer.status_code == 403
        assert hash_of(server.key) not in answer.text


@pytest.mark.parametrize("path", ["", "/{}", "/{}/state", "/{}/revoke"])
async def test_no_form_does_anything_without_its_token_or_for_others(
    server: Running, manager: str, path: str
) -> None:
    own = hash_of(server.key)
    address = "/account/keys" + path.format(own)
    fields = {"name": "taken over", "disabled": "1"}
    async with await signed_in(server, manager) as client:
        refused = await client.post(address, data=fields)
        assert refused.status_code == 403
        forged = {"Sec-Fetch-Site": "cross-site"}
        stolen = fields | {"csrf": await token(client)}
        assert (await client.post(address, data=stolen, headers=forged)).status_code == 403
    async with await signed_in(server) as client:  # no manager
        form = fields | {"csrf": await token(client)}
        assert (await client.post(address, data=form)).status_code == 403
    async with await Ledger.open(server.settings.home / LEDGER_FILE) as ledger:
        key = await ledger.keys.with_hash(own)
        assert key is not None
        assert (key.name, key.state) == ("first", "valid")
        assert "taken over" not in {each.name for each in await ledger.keys.all()}


async def test_a_key_that_a_file_lists_is_shown_and_not_changed(
    server: Running, manager: str
) -> None:
    file = server.settings.home / "voxgate.toml"
    hash_ = hash_of("a secret of the file")
    file.write_text(f"[[keys]]\nname = 'from the file'\nhash = '{hash_}'\n", encoding="utf-8")
    listed, _ = KeyList.read(ConfigFile.read(file))
    async with await Ledger.open(server.settings.home / LEDGER_FILE) as ledger:
        await ledger.listed_keys.apply(listed)
    async with await signed_in(server, manager) as client:
        page = await client.get(f"/account/keys/{hash_}")
        assert "listed in" in page.text
        assert "Save" not in page.text
        form = {"csrf": await token(client), "name": "other", "disabled": "1"}
        for path in ("", "/state", "/revoke"):
            answer = await client.post(f"/account/keys/{hash_}{path}", data=form)
            assert answer.status_code == 400
            assert "listed in" in answer.text
