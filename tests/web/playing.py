"""The playground with a scripted model, and what a person does there."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.scripted import Scripted
from tests.sounds import SAMPLE
from tests.web.browsing import looking, pages_served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from typing import Any

    from playwright.async_api import Browser, Page

    from tests.api.serving import Running

MODEL = "?model=scripted/one"
TEXTS = ("Please start the meeting.", "Without me.", "Thank you.", "Good night.")


@asynccontextmanager
async def playing(
    browser: Browser,
    folder: Path,
    scripted: Scripted | None = None,
    *,
    refused: bool = False,
    **settings: Any,
) -> AsyncIterator[tuple[Page, Running]]:
    """Open the playground of a server without keys."""
    provider = scripted or Scripted(says=lambda number, _: TEXTS[number % 4])
    async with (
        pages_served(folder, provider, auth="off", **settings) as server,
        looking(browser, server, refused=refused) as page,
    ):
        await page.goto(f"/playground{MODEL}")
        yield page, server


async def choose(page: Page, source: Path) -> None:
    await page.get_by_label("Choose a file").set_input_files(source)


async def start(page: Page, source: Path = SAMPLE) -> None:
    await choose(page, source)
    await page.get_by_role("button", name="Transcribe").click()


async def whole(page: Page) -> None:
    await page.locator("#facts dd").first.wait_for()


async def words_of(page: Page) -> str:
    """Return the text of the transcript on the page."""
    return " ".join(await page.locator(".line-text").all_inner_texts())


async def with_modules(page: Page, script: str) -> Any:
    """Return what a script finds out with the page's own modules, which `load` imports by name."""
    return await page.evaluate(
        rf"""async () => {{
            const own = document.querySelector("script[type=module]").src;
            const load = (name) => import(own.replace(/playground\/[^/]*$/, name));
            {script}
        }}"""
    )
