"""A newcomer's way from `voxgate serve` to words, and a manager's to a key, by keyboard alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import jiwer
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.api.serving import served
from tests.cli.command import isolated_cli
from tests.sounds import SAMPLE, WORDS
from tests.web.browsing import looking, tab_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser, Page

    from tests.api.serving import Served
    from tests.cli.command import CliRunner

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE_MS = 120_000  # a model is loaded


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliRunner]:
    with isolated_cli(tmp_path_factory.mktemp("newcomer")) as runner:
        yield runner


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(cli: CliRunner) -> AsyncIterator[Served]:
    async with served(cli) as running:
        yield running


async def follow(page: Page, address: str) -> None:
    """Go to a link by Tab, and follow it."""
    await tab_to(page, f"a[href='{address}']")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**{address}")


async def sign_in_by_keyboard(page: Page, key: str) -> None:
    await page.goto("/")
    await tab_to(page, "a[href^='/sign-in']")
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/sign-in\?"))
    await expect(page.get_by_label("Key")).to_be_focused()  # nothing is before it
    await page.keyboard.type(key)
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Sign out").wait_for()


def error_rate(text: str) -> float:
    plain, heard = (
        "".join(c for c in each.lower() if c.isalnum() or c.isspace()) for each in (WORDS, text)
    )
    return float(jiwer.wer(plain, heard))


async def test_the_first_key_leads_to_words_and_to_what_they_used(
    browser: Browser, server: Served
) -> None:
    async with looking(browser, server) as page:
        await sign_in_by_keyboard(page, server.key)
        await follow(page, "/account")
        await follow(page, "/account/usage")
        await expect(page.locator(".cards")).to_contain_text("0 h")
        await follow(page, "/playground")
        await page.wait_for_load_state("networkidle")  # its scripts have begun
        await tab_to(page, "#file")
        async with page.expect_file_chooser() as opening:
            await page.locator("#file").press("Enter")
        await (await opening.value).set_files(SAMPLE)
        await tab_to(page, "#send")
        await page.keyboard.press("Enter")
        await page.locator("#facts dd").first.wait_for(timeout=PATIENCE_MS)
        words = " ".join(await page.locator(".line-text").all_inner_texts())
        assert error_rate(words) < 0.2
        await page.goto("/account/usage?metric=requests")
        cards = page.locator(".cards")
        await expect(cards).to_contain_text("0.0029 h")  # 10.4 s
        assert await cards.get_by_role("link").nth(2).locator("strong").inner_text() == "1"


async def test_a_key_is_made_by_the_keyboard(
    browser: Browser, server: Served, cli: CliRunner
) -> None:
    made = cli.run("keys", "create", "--name", "owner", "--management")
    assert made.returncode == 0, made.stderr
    async with looking(browser, server) as page:
        await sign_in_by_keyboard(page, made.stdout.strip())
        await follow(page, "/account")
        await follow(page, "/account/keys")
        await follow(page, "/account/keys/new")
        await tab_to(page, "[name=name]")
        await page.keyboard.type("by keyboard")
        await page.keyboard.press("Enter")
        secret = await page.locator("#secret").inner_text()
        shown = await server.client.get("/key", headers={"Authorization": f"Bearer {secret}"})
        assert shown.status_code == 200
        await follow(page, "/owner")
        await tab_to(page, "main a, main button, main input")
