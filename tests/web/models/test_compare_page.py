"""Comparing models: the address is the choice, the picker changes it, what differs is marked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2
import pytest
import pytest_asyncio

from tests.web.browsing import looking, pages_served
from voxgate.models.catalogue import BUILT_IN_MODELS, DEFAULT_MODEL
from voxgate.pipeline.session import Session
from voxgate.upstreams import Endpoint, EndpointList, Upstream
from voxgate.web.models.compare_page import compare_path, models_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

BASE = "Systran/faster-whisper-base"
NEAR = Upstream("near", "compatible", "http://127.0.0.1:9/v1")
NAMES = ("acme/one", "acme/two", "acme/three", "acme/four")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    endpoints = tuple(Endpoint(name, NEAR, name.partition("/")[2]) for name in NAMES)
    listed = EndpointList((NEAR,), endpoints)
    async with pages_served(
        tmp_path_factory.mktemp("pages"), session=Session, endpoints=listed
    ) as running:
        yield running


async def test_a_person_adds_models_and_takes_them_out(browser: Browser, server: Running) -> None:
    async with looking(browser, server) as page:
        await page.goto(f"/models/{BASE}")
        await page.get_by_role("link", name="Compare").click()
        await page.wait_for_url(f"**/compare/{BASE}")
        for name in NAMES[:3]:
            await page.get_by_label("Add a model").select_option(name)
            await page.get_by_role("button", name="Add").click()
        await page.wait_for_url(f"**/compare/{'/'.join((BASE, *NAMES[:3]))}")
        assert await page.get_by_role("button", name="Add").count() == 0  # there are four
        licence = page.get_by_role("row", name="Licence").locator("td")
        assert [each.partition(" (")[0] for each in await licence.all_text_contents()] == [
            *("MIT", "not stated", "not stated", "not stated")
        ]
        assert await licence.locator("xpath=self::*[@class='differs']").count() == 3
        speakers = page.get_by_role("row", name="Speakers").locator("td")
        assert await speakers.locator("xpath=self::*[@class='differs']").count() == 0
        await page.get_by_role("link", name="Take out acme: two").click()
        await page.wait_for_url(f"**/compare/{BASE}/acme/one/acme/three")


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ("", 200, "Begin with a model"),
        ("/whisper-1", 302, f"/compare/{BASE}"),
        ("/acme/one/acme/one", 302, "/compare/acme/one"),
        ("/ACME/one", 302, "/compare/acme/one"),
        ("/acme/one?add=whisper-1", 302, f"/compare/acme/one/{BASE}"),
        ("/acme/one/acme/none", 404, "No model is called"),
        ("/acme", 404, "No model is called"),
        ("/" + "/".join((BASE, *NAMES)), 400, "at most 4"),
        ("/" + "x/" * 5000, 404, "No model is called"),
    ],
)
async def test_addresses(server: Running, asked: str, status: int, told: str) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        answer = await client.get(f"/compare{asked}")
        assert answer.status_code == status
        assert told in (answer.headers["location"] if status == 302 else answer.text)


async def test_names_with_and_without_slashes_are_told_apart() -> None:
    spec = BUILT_IN_MODELS[DEFAULT_MODEL]
    known = [replace(spec, name=name, aliases=()) for name in ("a", "a/b", "a/b/c", "b", "x:y/z")]
    for chosen in (["a/b/c", "a"], ["b", "a/b"], ["x:y/z", "b", "a/b/c", "a/b"]):
        path = compare_path([next(each for each in known if each.name == n) for n in chosen])
        found = models_of(path.removeprefix("/compare/"), known)
        assert [each.name for each in found] == chosen
