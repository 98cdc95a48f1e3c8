"""The list of models, as a person searches it, with and without scripts; attacks by names."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx2
import pytest
import pytest_asyncio

from tests.web.browsing import looking, pages_served
from voxgate.pipeline.session import Session
from voxgate.prices import ListedPrice, Price, PriceList
from voxgate.settings import Settings
from voxgate.upstreams import Endpoint, EndpointList, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

BASE = "Systran/faster-whisper-base"
NEAR = Upstream("near", "compatible", "http://127.0.0.1:9/v1")
FAR = Upstream("far", "mistral", "http://127.0.0.1:9/v1")
MANY = 1000
ROWS = 100  # of one page


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """The built-in model, 1000 at a provider, and one at another, with prices."""
    many = [Endpoint(f"acme/model-{n:04}", NEAR, f"model-{n}") for n in range(MANY)]
    voxtral = Endpoint("mistralai/voxtral-mini-transcribe", FAR, "voxtral-mini-latest")
    prices = [
        ListedPrice("acme/model-0007", Price(Decimal("0.001"), "minute")),
        ListedPrice("acme/model-0008", Price(Decimal(2), "hour", minimum_s=Decimal(10))),
        ListedPrice(voxtral.model, Price(Decimal("0.003"), "minute")),
    ]
    async with pages_served(
        tmp_path_factory.mktemp("pages"),
        session=Session,
        endpoints=EndpointList((NEAR, FAR), (*many, voxtral)),
        prices=PriceList(tuple(prices)),
    ) as running:
        yield running


async def names(page: Page) -> list[str]:
    return await page.locator(".models th[scope=row] code").all_text_contents()


async def test_a_person_finds_a_model_while_typing(browser: Browser, server: Running) -> None:
    async with looking(browser, server) as page:
        await page.goto("/")
        assert await page.locator("#found").text_content() == "1,002 models, page 1 of 11"
        await page.get_by_label("Search").fill("voxtral")
        await page.get_by_text("1 of 1,002 models", exact=True).first.wait_for()
        assert await names(page) == ["mistralai/voxtral-mini-transcribe"]
        assert page.url.endswith("/?q=voxtral")
        row = page.locator(".models tbody tr")
        assert "$0.003 per minute" in await row.inner_text()
        assert "far" in await row.inner_text()
        await page.get_by_label("Where it runs").select_option("here")
        await page.get_by_text("No model fits.").wait_for()
        await page.get_by_label("Search").fill("whisper base")
        await page.get_by_text("1 of 1,002 models", exact=True).first.wait_for()
        assert await names(page) == [BASE]
        await page.reload()
        assert await names(page) == [BASE]
        assert await page.get_by_label("Where it runs").input_value() == "here"
        await page.get_by_role("link", name="OpenAI: Whisper Base").click()
        await page.wait_for_url(f"**/models/{BASE}")


async def test_the_form_works_without_scripts(browser: Browser, server: Running) -> None:
    async with looking(browser, server, java_script_enabled=False) as page:
        await page.goto("/")
        await page.get_by_label("Search").fill("model-000")
        await page.get_by_label("Order").select_option("price")
        await page.get_by_label("At most, $ an hour").fill("1")
        await page.get_by_role("button", name="Show").click()
        free = [f"acme/model-000{n}" for n in (*range(7), 9)]
        assert await names(page) == [*free, "acme/model-0007"]
        assert not await page.locator("button.copy").first.is_visible()


async def test_a_name_is_copied(browser: Browser, server: Running) -> None:
    permitted = ["clipboard-read", "clipboard-write"]
    async with looking(browser, server, permissions=permitted) as page:
        await page.goto("/?q=whisper")
        await page.get_by_role("button", name=f"Copy {BASE}").click()
        await page.get_by_role("status").get_by_text(f"Copied: {BASE}").wait_for()
        assert await page.evaluate("navigator.clipboard.readText()") == BASE


async def test_the_pages_of_the_list_have_every_model_once(server: Running) -> None:
    found: list[str] = []
    async with httpx2.AsyncClient(base_url=server.url) as client:
        path: str | None = "/?sort=name"
        while path:
            text = (await client.get(path)).text
            found += re.findall(r'<span class="slug"><code>([^<]+)</code>', text)
            following = re.search(r'aria-current="page">\d+</a>\s*<a href="([^"]+)"', text)
            path = following[1].replace("&amp;", "&") if following else None
    assert len(found) == len(set(found)) == MANY + 2
    assert found == sorted(found, key=str.lower)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("sort=best", "'sort' must be one of newest, price, speed, wer, name"),
        ("where=mars", "'where' must be one of here"),
        ("most=free", "'most' must be dollars for an hour"),
        ("most=-1", "'most' must be dollars"),
        ("most=1e999999", "'most' must be dollars"),
        ("q=" + "x" * 201, "'q' must have at most 200 characters, not 201"),
        ("page=0", "'page' must be a number from 1"),
        ("page=%D9%A1", "'page' must be a number from 1"),
        ("page=" + "9" * 5000, "'page' must be a number from 1"),
    ],
)
async def test_a_wrong_value_is_told(server: Running, query: str, sentence: str) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        answer = await client.get(f"/?{query}")
        assert answer.status_code == 400
        assert sentence in answer.text.replace("&#39;", "'")


async def test_a_page_that_the_list_has_not_says_so(server: Running) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        text = (await client.get("/?page=99")).text
        assert "This list has 11 pages, and no page 99." in text


async def test_the_first_page_is_small_with_all_that_it_loads(
    browser: Browser, server: Running
) -> None:
    async with looking(browser, server) as page:
        sizes: list[int] = []

        async def count(response: object) -> None:
            told = await response.request.sizes()  # type: ignore[attr-defined]
            sizes.append(told["responseBodySize"] + told["responseHeadersSize"])

        page.on("response", count)
        await page.goto("/", wait_until="networkidle")
        assert await page.locator(".models tbody tr").count() == ROWS
        assert len(sizes) >= 3  # the page, the sheet, a module
        assert sum(sizes) <= 100_000


HOSTILE = "<script>window.hacked=1</script>\"'><img/src=x/onerror=window.hacked=1>"
FILE = f"""
[model_aliases]
{json.dumps(HOSTILE)} = "acme/hostile"

[[providers]]
name = "near"
kind = "compatible"
url = "http://127.0.0.1:9/v1"

[[endpoints]]
model = "acme/hostile"
provider = "near"
upstream_model = {json.dumps(HOSTILE)}
"""


async def test_a_name_that_somebody_chose_is_a_text(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "voxgate.toml").write_text(FILE, "utf-8")
    named = Settings.read({"VOXGATE_CONFIG": str(tmp_path / "voxgate.toml")})
    bad = Upstream(HOSTILE, "compatible", "http://127.0.0.1:9/v1")
    # No file can have such a provider or model; a looser rule would be no hole.
    worse = Endpoint(f"acme/{HOSTILE.replace('/', '')}", bad, "x")
    listed = named.endpoints
    listed = replace(listed, upstreams=(*listed.upstreams, bad), entries=(*listed.entries, worse))
    async with (
        pages_served(
            tmp_path, session=Session, endpoints=listed, model_aliases=named.model_aliases
        ) as server,
        looking(browser, server) as page,
    ):
        await page.goto("/")
        addresses = await page.locator(".models th a").evaluate_all("all => all.map(a => a.href)")
        paths = ["/", *addresses, *(each.replace("/models/", "/compare/") for each in addresses)]
        for path in paths:
            await page.goto(path)
            assert await page.evaluate("window.hacked") is None
            assert await page.locator("img, script:not([src])").count() == 0
        await page.goto("/models/acme/hostile")
        assert HOSTILE in await page.locator("#overview").inner_text()
        assert HOSTILE in await page.locator("#providers").inner_text()
        await page.goto("/?q=%3Cimg+src%3Dx+onerror%3Dwindow.hacked%3D1%3E")
        await page.get_by_label("Search").press_sequentially("<script>window.hacked=1</script>")
        await page.get_by_text("No model fits.").wait_for()
        assert await page.evaluate("window.hacked") is None
