"""The pages of the server: engines, recordings, models, endpoints, settings and the log."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.api.serving import FILE, SCRIPTED, Gate, new_key
from tests.hub import Hub, Repository
from tests.models.store.checkpoints import write_hf
from tests.processes import until
from tests.scripted import Scripted
from tests.web.browsing import looking, pages_served, sign_in
from tests.web.signed_in import signed_in, token
from voxgate.errors import EngineError
from voxgate.models.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser, Page

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAME = "acme/tiny-voxtral"
SHARD = "model-00001-of-00002.safetensors"
PRIVATE = "The engine of /home/somebody ended: <img src=x onerror=alert(1)>"


@dataclass
class Owned:
    """A server and the key of who manages it."""

    server: Running
    key: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owned(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Owned]:
    async with pages_served(
        tmp_path_factory.mktemp("owner"), Scripted(), transcript_key=(b"s3cret" * 5 + b"!!",)
    ) as server:
        yield Owned(server, await new_key(server, "owner", management=True))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    with Hub().running() as running:
        running.repositories[NAME] = Repository.from_folder(write_hf(folder / "origin"))
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


async def reloaded_until(page: Page, text: str) -> None:
    """Load the page until it has this text in its main part."""
    for _ in range(200):
        if text in await page.locator("main").inner_text():
            return
        await page.reload()
    pytest.fail(f"never on the page: {text}")


async def test_an_engine_is_loaded_and_unloaded(browser: Browser, owned: Owned) -> None:
    async with looking(browser, owned.server) as page:
        await sign_in(page, owned.key)
        await page.goto("/owner")
        assert await page.get_by_text("No model is in memory.").is_visible()
        await page.get_by_label("Load a model").fill(DEFAULT_MODEL)
        await page.get_by_role("button", name="Load").click()
        await reloaded_until(page, "idle")
        row = page.get_by_role("region", name="Engines in memory").get_by_role("row").last
        assert "cpu" in await row.inner_text()
        assert "MB" in await row.inner_text()
        await row.get_by_role("button", name="Unload").click()
        await reloaded_until(page, "No model is in memory.")


async def test_a_model_that_is_not_there_is_not_loaded(owned: Owned) -> None:
    async with await signed_in(owned.server, owned.key) as client:
        form = {"csrf": await token(client), "model": "no/such-model"}
        answer = await client.post("/owner/load", data=form)
        assert answer.status_code == 404
        assert "no/such-model" in answer.text


async def test_a_recording_under_way_is_shown(owned: Owned) -> None:
    gate = Gate()
    owned.server.provider.gate = gate
    async with await signed_in(owned.server, owned.key) as client, asyncio.TaskGroup() as tasks:
        sent = tasks.create_task(
            owned.server.client.post("/audio/transcriptions", files=FILE, data={"model": SCRIPTED})
        )
        await until(lambda: owned.server.provider.running == 1, "the provider's work")
        page = (await client.get("/owner")).text
        assert "gen-stt-" in page
        assert "<td>first</td>" in page
        gate.open.set()
        owned.server.provider.gate = None
        assert (await sent).status_code == 200
        assert "gen-stt-" not in (await client.get("/owner")).text


async def test_a_model_is_pulled_with_its_progress_cancelled_and_pulled_again(
    browser: Browser, owned: Owned, hub: Hub
) -> None:
    hub.faults.held[SHARD] = 1000
    async with looking(browser, owned.server) as page:
        await sign_in(page, owned.key)
        await page.goto("/owner/models")
        await page.get_by_label("Repository").fill(NAME)
        await page.get_by_role("button", name="Get it").click()
        await page.get_by_text("to fetch").wait_for()  # by the script, while the hub holds it
        assert await page.locator("#pull-bar").get_attribute("max") is not None
        await page.get_by_role("button", name="Cancel").click()
        await page.get_by_text("being cancelled").wait_for()
        hub.release.set()
        await page.get_by_text("was not installed: Cancelled.").wait_for()

        hub.faults.held.clear()
        await page.get_by_role("button", name="Get it").click()
        await page.get_by_text("is installed, since").wait_for()
        row = page.get_by_role("row").filter(has_text=NAME)
        assert "the hub" in await row.inner_text()
        await row.get_by_role("link", name="Remove").click()
        await page.get_by_role("button", name=f"Remove {NAME}").click()
        await page.wait_for_url("**/owner/models")
        assert await page.get_by_role("row").filter(has_text=NAME).count() == 0


async def test_one_model_is_pulled_at_a_time_and_a_failure_tells_why(
    owned: Owned, hub: Hub
) -> None:
    hub.faults.held[SHARD] = 1000
    async with await signed_in(owned.server, owned.key) as client:
        form = {"csrf": await token(client), "name": NAME}
        assert (await client.post("/owner/pull", data=form)).status_code == 303
        second = await client.post("/owner/pull", data=form | {"name": "acme/other"})
        assert second.status_code == 400
        assert "one model is pulled at a time" in second.text
        assert (await client.post("/owner/pull/cancel", data=form)).status_code == 303
        hub.release.set()

        async def ended() -> bool:
            return bool((await client.get("/owner/pull")).json()["ended"])

        while not await ended():
            pass
        absent = form | {"name": "acme/<b>absent</b>"}
        answer = await client.post("/owner/pull", data=absent)
        while not await ended():
            pass
        page = (await client.get("/owner/models")).text
        assert "was not installed" in page + answer.text
        assert "<b>" not in page
        assert (await client.post("/owner/pull", data=form | {"name": ""})).status_code == 400


async def test_what_fails_is_on_the_pages_of_endpoints_and_of_the_log(
    browser: Browser, owned: Owned
) -> None:
    owned.server.provider.script({0: [EngineError(PRIVATE)] * 9})
    answer = await owned.server.client.post(
        "/audio/transcriptions", files=FILE, data={"model": SCRIPTED}
    )
    owned.server.provider.script({})
    assert answer.status_code == 503
    assert "somebody" not in answer.text
    async with looking(browser, owned.server) as page:
        await sign_in(page, owned.key)
        await page.goto("/owner/log")
        assert PRIVATE in await page.locator("main").inner_text()
        assert await page.locator("main img").count() == 0
        await page.goto("/owner/providers")
        row = page.get_by_role("row").filter(has_text=f"local/{SCRIPTED}")
        assert "fail" in await row.inner_text()
        assert "set canary_every_s" in await page.locator("main").inner_text()


async def test_settings_are_shown_without_secrets(owned: Owned) -> None:
    async with await signed_in(owned.server, owned.key) as client:
        page = (await client.get("/owner/settings")).text
        assert "max_flights" in page
        assert "transcript_key" in page
        assert "(set)" in page
        assert "s3cret" not in page


@pytest.mark.parametrize(
    "path", ["", "/models", "/models/remove", "/pull", "/providers", "/settings", "/log"]
)
async def test_the_server_s_pages_are_for_who_manages_it(owned: Owned, path: str) -> None:
    async with await signed_in(owned.server) as client:
        answer = await client.get(f"/owner{path}")
        assert answer.status_code == 403
        assert "somebody" not in answer.text
        client.cookies.clear()
        assert (await client.get(f"/owner{path}")).status_code == 303


@pytest.mark.parametrize("path", ["load", "unload", "pull", "pull/cancel", "models/remove"])
async def test_nothing_is_done_for_a_form_of_another_site(owned: Owned, path: str) -> None:
    fields = {"model": DEFAULT_MODEL, "name": NAME, "pid": "1"}
    async with await signed_in(owned.server, owned.key) as client:
        assert (await client.post(f"/owner/{path}", data=fields)).status_code == 403
        forged = fields | {"csrf": await token(client)}
        other = {"Sec-Fetch-Site": "cross-site"}
        answer = await client.post(f"/owner/{path}", data=forged, headers=other)
        assert answer.status_code == 403
    async with await signed_in(owned.server) as client:  # no manager
        form = fields | {"csrf": await token(client)}
        assert (await client.post(f"/owner/{path}", data=form)).status_code == 403
    async with await signed_in(owned.server, owned.key) as client:
        assert "No model is in memory." in (await client.get("/owner")).text
        form = {"csrf": await token(client), "pid": "1"}  # a process that is no engine
        assert (await client.post("/owner/unload", data=form)).status_code == 404
