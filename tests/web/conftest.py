"""One real Chromium for all tests of the pages in a process."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests.sounds import encode, sample
from tests.web.browsing import CHROMIUM_OPTIONS, MICROPHONE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

CHROMIUM = shutil.which("chromium")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """Debian's Chromium, driven by Playwright; each test opens contexts of its own.

    Its microphone hears the voice note of samples/.
    """
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    heard = tmp_path_factory.mktemp("microphone") / "voice-note.wav"
    heard.write_bytes(encode(sample(), heard.name))
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*CHROMIUM_OPTIONS, f"{MICROPHONE}{heard}"]
        )
        try:
            yield opened
        finally:
            await opened.close()
