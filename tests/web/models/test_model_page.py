"""The page of a model: its sections, its names, what it says of each endpoint, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
import pytest_asyncio

from tests.api.serving import ABSENT, ALIAS, FILE, SCRIPTED, new_key, with_key
from tests.models.store.checkpoints import write_hf
from tests.scripted import Scripted
from tests.web.browsing import looking, pages_served, sign_in
from voxgate.api.dialects.fields import FIELDS
from voxgate.models.store.registry import Registry
from voxgate.pipeline.session import Session
from voxgate.settings import Settings
from voxgate.upstreams import Endpoint, EndpointList, Upstream
from voxgate.web.models.model_page import SECTIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

BASE = "Systran/faster-whisper-base"
URL = "http://127.0.0.1:9/v1"
SECRETIVE = Upstream("secretive", "compatible", URL, zero_retention=True, collects_data=False)
FAIR = Upstream("fair", "compatible", URL, collects_data=False, formats=("mp3",), max_s=77.0)
SILENT = Upstream("silent", "mistral", URL)
ELSEWHERE = EndpointList(
    (SECRETIVE, FAIR, SILENT),
    (
        Endpoint("acme/one", SECRETIVE, "one-at-secretive"),
        Endpoint("acme/one", FAIR, "one-at-fair", quantization="int8"),
        Endpoint("acme/one", SILENT, "one-at-silent"),
        Endpoint("acme/api", FAIR, "api"),
        Endpoint("acme/v1.5", FAIR, "v1.5"),
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scripted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One that transcribes, with keys, and one model that lacks a package."""
    provider = Scripted(honours=frozenset({"temperature"}), vocabulary=True)
    async with pages_served(tmp_path_factory.mktemp("pages"), provider) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """The built-in model, one in a folder, and models elsewhere."""
    folder = tmp_path_factory.mktemp("pages")
    checkpoint = write_hf(folder / "checkpoint")
    Registry.open(Settings(home=folder / "home")).add(checkpoint, "my-folder.v2")
    async with pages_served(folder, session=Session, endpoints=ELSEWHERE) as running:
        yield running


async def test_the_sections_are_reached_by_the_keyboard(browser: Browser, server: Running) -> None:
    async with looking(browser, server) as page:
        await page.goto("/models/acme/one")
        bar = page.get_by_role("navigation", name="Sections")
        await bar.get_by_role("link", name="Overview").focus()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**#providers")
        await page.locator("#providers h2").wait_for(state="visible")
        api = bar.get_by_role("link", name="API")
        await api.press("Enter")
        await bar.locator('a[aria-current="true"]', has_text="API").wait_for()
        first = page.get_by_role("tab", name="cURL, JSON")
        await first.focus()
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("ArrowRight")
        assert await page.get_by_role("tab", name="OpenAI, Python").get_attribute("tabindex") == "0"
        shown = page.get_by_role("tabpanel")
        assert await shown.count() == 1
        assert "from openai import OpenAI" in await shown.inner_text()
        await page.reload()
        assert "from openai import OpenAI" in await shown.inner_text()


async def test_each_section_has_an_address(browser: Browser, server: Running) -> None:
    async with looking(browser, server, java_script_enabled=False) as page:
        for section in SECTIONS:
            await page.goto(f"/models/acme/one/{section.id}")
            assert await page.locator("main > section h2").all_text_contents() == [section.title]
        await page.goto("/models/acme/one")
        titles = await page.locator("main > section h2").all_text_contents()
        assert titles == [section.title for section in SECTIONS]


@pytest.mark.parametrize("name", ["acme/one", "acme/api", "acme/v1.5", "my-folder.v2", BASE])
async def test_a_name_may_have_slashes_dots_and_the_name_of_a_section(
    server: Running, name: str
) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        for path in (name, f"{name}/api", f"{name}/"):
            page = await client.get(f"/models/{path}")
            assert page.status_code == 200, path
            assert f'data-copy="{name}"' in page.text


@pytest.mark.parametrize(
    ("asked", "address"),
    [
        ("whisper-1", BASE),
        ("openai/whisper-base/api", f"{BASE}/api"),
        ("ACME/one", "acme/one"),
        ("whisper-1?from=mail", f"{BASE}?from=mail"),
    ],
)
async def test_an_alias_leads_to_its_model(server: Running, asked: str, address: str) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        answer = await client.get(f"/models/{asked}")
        assert (answer.status_code, answer.headers["location"]) == (302, f"/models/{address}")


async def test_a_model_that_is_not_there_names_those_that_are(
    browser: Browser, server: Running
) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        for name in ("acme/noe", "one", "acme/one/nowhere", "a" * 5000, "%00", "..%2f..%2fetc"):
            answer = await client.get(f"/models/{name}")
            assert answer.status_code == 404, name
            assert "No such model" in answer.text
    async with looking(browser, server) as page:
        await page.goto("/models/acme/one")
        missing = await page.request.get("/models/acme/noe")
        await page.set_content(await missing.text())
        near = page.get_by_role("listitem").filter(has_text="acme/one")
        assert await near.get_by_role("link").get_attribute("href") == "/models/acme/one"


async def test_each_provider_says_its_terms_and_limits(browser: Browser, server: Running) -> None:
    permitted = ["clipboard-read", "clipboard-write"]
    async with looking(browser, server, permissions=permitted) as page:
        await page.goto("/models/acme/one/providers")
        said = {
            name: await page.get_by_role("article", name=name).inner_text()
            for name in ("secretive", "fair", "silent")
        }
        assert "Zero retention, does not train" in said["secretive"]
        assert "Retained for an unknown period, does not train" in said["fair"]
        assert "Unknown policy, counts as training" in said["silent"]
        assert "sent as mp3" in said["fair"]
        assert "1:17 min in a request" in said["fair"]
        assert "int8" in said["fair"]
        await page.get_by_role("button", name="Copy fair/one-at-fair").click()
        await page.get_by_role("status").get_by_text("Copied").wait_for()
        assert await page.evaluate("navigator.clipboard.readText()") == "fair/one-at-fair"


async def test_the_parameters_are_those_of_requests(browser: Browser, scripted: Running) -> None:
    async with looking(browser, scripted) as page:
        await page.goto(f"/models/{SCRIPTED}/parameters")
        names = await page.locator(".parameters th[scope=row]").all_text_contents()
        assert sorted(names) == sorted(field.name for field in FIELDS)
        does = {
            name: await page.locator(
                f'.parameters tr:has(th code:text-is("{name}")) td:last-child'
            ).text_content()
            for name in ("temperature", "seed", "beam_size", "keyterms", "language", "session_id")
        }
    assert does == {
        "temperature": "used",
        "seed": "ignored, with a warning",
        "beam_size": "refused with 400",
        "keyterms": "used",
        "language": "used: 2 languages",
        "session_id": "as with every model",
    }
    for name, expected in (("seed", 200), ("beam_size", 400)):
        data = {"model": SCRIPTED, name: "3"}
        answer = await scripted.client.post("/audio/transcriptions", files=FILE, data=data)
        assert answer.status_code == expected


async def test_a_model_that_is_missing_says_what_it_lacks(
    browser: Browser, scripted: Running
) -> None:
    async with looking(browser, scripted) as page:
        await page.goto(f"/models/{ABSENT}")
        notice = page.locator(".notice")
        assert "needs no-such-dist, which this server does not have" in await notice.inner_text()
        assert "Nobody runs it now" in await page.locator("#providers").inner_text()
        await page.goto(f"/models/{ALIAS}")
        await page.wait_for_url(f"**/models/{SCRIPTED}")
        await sign_in(page, await new_key(scripted, "manager", management=True))
        await page.goto(f"/models/{ABSENT}")
        assert "pip install" in await notice.inner_text()  # the command is for the owner alone


async def test_the_sound_of_the_week_is_one_s_own(browser: Browser, scripted: Running) -> None:
    second = await new_key(scripted, "second")
    managing = await new_key(scripted, "owner", management=True)
    answer = await scripted.client.post(
        "/audio/transcriptions", files=FILE, data={"model": SCRIPTED}, headers=with_key(second)
    )
    assert answer.status_code == 200
    said, activity = {}, {}
    for name, key in (("first", scripted.key), ("second", second), ("owner", managing), ("", "")):
        async with looking(browser, scripted) as page:
            if key:
                await sign_in(page, key)
            await page.goto(f"/models/{SCRIPTED}")
            week = page.locator(".facts > div", has_text="Audio this week").locator("dd")
            said[name] = await week.inner_text()
            await page.goto(f"/models/{SCRIPTED}/activity")
            activity[name] = await page.locator("#activity").inner_text()
    assert said["second"].endswith("in 1 request by your key")
    assert said[""] == "sign in to see yours"
    assert "Requests\n1\n" in activity["second"]
    assert "Sign in to see what your key asked" in activity[""]
    assert "by your key" in said["first"]
    assert "by your key" not in said["owner"]
    assert int(said["owner"].split()[3]) > int(said["first"].split()[3])


@pytest.mark.parametrize("host", ["a b", "x'$(id)", "<script>", "a,b"])
async def test_a_host_that_is_none_is_refused(server: Running, host: str) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        answer = await client.get("/models/acme/one", headers={"Host": host})
        assert answer.status_code == 400
        assert "not a host" in answer.text


@pytest.mark.parametrize("path", ["/", "/models/acme/one/providers", "/compare/acme/one"])
async def test_what_a_missing_figure_needs_is_said(server: Running, path: str) -> None:
    """A figure of few attempts is not given, so it is not said that there was none."""
    async with httpx2.AsyncClient(base_url=server.url) as client:
        page = (await client.get(path)).text
    assert "ten attempts" in page
    assert "no request has shown" not in page
