"""Screenshots for the documentation: `make screenshots` writes docs/images/*.png.

They are of a real server, which transcribes the voice note of samples/ with Whisper base, in
Debian's Chromium.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

from playwright.async_api import async_playwright
from tests.api.serving import FILE, new_key, serving, with_key
from tests.sounds import SAMPLE
from tests.web.browsing import CHROMIUM_OPTIONS, sign_in

from voxgate.models.catalogue import DEFAULT_MODEL
from voxgate.pipeline.session import Session
from voxgate.prices import parse_prices
from voxgate.web.mount import add_pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Browser, Page
    from tests.api.serving import Running

    Shot: TypeAlias = Callable[[Page], Awaitable[object]]

FOLDER = Path(__file__).parent / "images"
MOST_BYTES = 150_000
VIEW = {"width": 1120, "height": 760}
PATIENCE_MS = 120_000  # a model is loaded

APPS = ("Newsroom", "Meeting notes", "Voicemail")


async def models(page: Page) -> None:
    """What can be asked for."""
    await page.goto("/")


async def model(page: Page) -> None:
    """All that is known of one model."""
    await page.goto(f"/models/{DEFAULT_MODEL}")


async def playground(page: Page) -> None:
    """The voice note and its words."""
    await page.goto(f"/playground?model={DEFAULT_MODEL}")
    await page.get_by_label("Choose a file").set_input_files(SAMPLE)
    await page.get_by_role("button", name="Transcribe").click()
    await page.locator("#facts dd").first.wait_for(timeout=PATIENCE_MS)
    await page.locator("#result").scroll_into_view_if_needed()


async def account(page: Page) -> None:
    """What each app sent."""
    await page.goto("/account/usage?by=app&metric=audio")


async def server(page: Page) -> None:
    """Engines, memory and disks."""
    await page.goto("/owner")


OF_TRANSCRIBERS: dict[str, Shot] = {"models": models, "model": model, "playground": playground}
OF_MANAGERS: dict[str, Shot] = {"account": account, "server": server}


async def main() -> None:
    """Serve, send recordings, and take the screenshots."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("There is no Chromium here: `apt-get install chromium` brings it.")
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        prices = parse_prices(f"{DEFAULT_MODEL} = 0.006/minute", "screenshots")
        async with (
            serving(Path(folder), session=Session, pages=add_pages, prices=prices) as running,
            async_playwright() as playwright,
        ):
            keys = await _work(running)
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=[*CHROMIUM_OPTIONS]
            )
            for key, shots in zip(keys, (OF_TRANSCRIBERS, OF_MANAGERS), strict=True):
                await _take(browser, running, key, shots)
            await browser.close()


async def _work(running: Running) -> tuple[str, str]:
    """Send the voice note for several apps. Return a key that transcribes and one that manages."""
    key = await new_key(running, "newsroom", limit_nanodollars=5_000_000_000, reset="monthly")
    for count, app in enumerate(APPS, 1):
        for _ in range(count):
            answer = await running.client.post(
                "/audio/transcriptions",
                files=FILE,
                data={"model": DEFAULT_MODEL},
                headers=with_key(key) | {"X-Title": app},
            )
            answer.raise_for_status()
    return key, await new_key(running, "owner", management=True)


async def _take(browser: Browser, running: Running, key: str, shots: dict[str, Shot]) -> None:
    context = await browser.new_context(base_url=running.url, viewport=VIEW)  # type: ignore[arg-type]  # a TypedDict
    page = await context.new_page()
    await sign_in(page, key)
    for name, shot in shots.items():
        await shot(page)
        await page.wait_for_load_state("networkidle")
        path = FOLDER / f"{name}.png"
        await page.screenshot(path=path)
        size = path.stat().st_size
        if size > MOST_BYTES:
            sys.exit(f"{path} has {size} bytes, more than {MOST_BYTES}: show less of the page.")
        sys.stdout.write(f"{path.relative_to(FOLDER.parent.parent)}: {size} bytes\n")
    await context.close()


if __name__ == "__main__":
    asyncio.run(main())
