"""The pages of a real server, looked at with a real browser.

Tests that use the `browser` run in the loop of the session:
`pytestmark = pytest.mark.asyncio(loop_scope="session")`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from tests.api.serving import serving
from tests.processes import DEADLINE_S
from voxgate.web.mount import add_pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from tests.api.serving import Running, Served
    from tests.scripted import Scripted

expect.set_options(timeout=60_000)  # a busy machine is slow

REFUSED = "Failed to load resource"
MICROPHONE = "--use-file-for-fake-audio-capture="
"""Before the path of a WAV file, which the browser's microphone then plays again and again."""

CHROMIUM_OPTIONS = (  # neither a sandbox, which root has not, nor a call home
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--autoplay-policy=no-user-gesture-required",
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)


def pages_served(
    folder: Path, provider: Scripted | None = None, **settings: Any
) -> AbstractAsyncContextManager[Running]:
    """Serve as `serving` does, with the pages."""
    return serving(folder, provider, pages=add_pages, **settings)


@asynccontextmanager
async def looking(
    browser: Browser, server: Running | Served, *, refused: bool = False, **options: Any
) -> AsyncIterator[Page]:
    """Open an empty page of a new visitor, whose failures on the console fail the test.

    A path alone is an address of the server. `refused`: requests of the page's scripts may be
    refused or broken off, which a browser writes there, too.
    """
    context = await browser.new_context(base_url=server.url, **options)
    page = await context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: faults.append(message.text) if message.type == "error" else None,
    )
    try:
        yield page
        told = [each for each in faults if not (refused and REFUSED in each)]
        assert not told, told
    finally:
        await context.close()


async def comes(page: Page, condition: str) -> None:
    """Wait until an expression is true. The pages' policy forbids what Playwright waits with."""
    deadline = time.monotonic() + DEADLINE_S
    while not await page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        await asyncio.sleep(0.02)


async def sign_in(page: Page, key: str) -> None:
    """Sign in as a person does."""
    await page.goto("/sign-in")
    await page.get_by_label("Key").fill(key)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Sign out").wait_for()


async def tab_to(page: Page, selector: str) -> None:
    """Press Tab until what is looked for has the focus."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    pytest.fail(f"no way to {selector} by Tab")
