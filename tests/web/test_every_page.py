"""Each page, narrow and wide, light and dark: readable, accessible, still, and of this server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.api.serving import FILE, SCRIPTED, new_key, with_key
from tests.web.browsing import looking, pages_served, sign_in
from tests.web.every_page import SCHEMES, WIDTHS, looker
from voxgate.ledger.key import hash_of
from voxgate.models.catalogue import DEFAULT_MODEL
from voxgate.web.mount import PAGES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, StorageState

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_PAGES = {"/account/usage.csv", "/owner/pull", "/sign-in/oidc", "/sign-in/oidc/return"}
"""They answer with a file, with data for a script, or lead elsewhere."""

QUERIES = {
    "/account/usage": "?metric=requests&by=key",
    "/owner/models/remove": f"?name={DEFAULT_MODEL}",
}
"""What follows the path of pages that need it, or show more with it."""

FOR_NOBODY = {"/sign-in"}
FOR_TRANSCRIBERS = {"/playground", "/playground/compare"}
"""Pages that those who manage do not see; and those that send away whoever signed in."""

SHOWN = sorted({path for method, path, _ in PAGES if method == "GET"} - NO_PAGES)


@dataclass
class Sample:
    """A server with keys, recordings that went well and badly, and two who signed in."""

    server: Running
    manager: StorageState
    transcriber: StorageState
    parts: dict[str, str]

    def address(self, path: str) -> str:
        """Return an address of a page; each name in braces is that of a sample."""
        filled = re.sub(r"{(\w+)(?::\w+)?}", lambda name: self.parts[name[1]], path)
        return filled + QUERIES.get(path, "")

    def visitor(self, path: str) -> StorageState | None:
        if path in FOR_NOBODY:
            return None
        return self.transcriber if path in FOR_TRANSCRIBERS else self.manager


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sample(
    tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> AsyncIterator[Sample]:
    async with pages_served(tmp_path_factory.mktemp("pages")) as server:
        managing = await new_key(server, "owner", management=True)
        limited = await new_key(
            server,
            "news desk, which has a name of some length",
            limit_nanodollars=5_000_000_000,
            limit_samples=16_000 * 60 * 90,
            reset="monthly",
            labels=["team=news"],
        )
        answer = await server.client.post(
            "/audio/transcriptions",
            files=FILE,
            data={"model": SCRIPTED},
            headers=with_key(limited) | {"X-Title": "Notebook"},
        )
        assert answer.status_code == 200, answer.text
        refused = await server.client.post(
            "/audio/transcriptions", files={"file": ("x.wav", b"none")}, data={"model": SCRIPTED}
        )
        assert refused.status_code == 400
        author, slug = SCRIPTED.split("/")
        parts = {
            "author": author,
            "slug": slug,
            "name": SCRIPTED,
            "names": f"{SCRIPTED}/{DEFAULT_MODEL}",
            "id": answer.headers["x-generation-id"],
            "hash": hash_of(limited),
        }
        yield Sample(
            server,
            await signed_in(browser, server, managing),
            await signed_in(browser, server, server.key),
            parts,
        )


async def signed_in(browser: Browser, server: Running, key: str) -> StorageState:
    async with looking(browser, server) as page:
        await sign_in(page, key)
        return await page.context.storage_state()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", SHOWN)
async def test_a_page_is_readable_by_everybody(
    browser: Browser, sample: Sample, path: str, width: int
) -> None:
    async with looker(browser, sample.server.url, width, sample.visitor(path)) as looks:
        await looks.open(sample.address(path))
        for scheme in SCHEMES:
            await looks.wear(scheme)
            await looks.photograph(f"{path}-{width}-{scheme}")
            assert await looks.wrongs() == []
