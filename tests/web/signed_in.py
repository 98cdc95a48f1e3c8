"""Clients that sign in and send forms as browsers do, for what no browser would send."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from tests.api.serving import Running

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
PEOPLE = {"Accept": "text/html"}


async def signed_in(server: Running, key: str = "") -> httpx2.AsyncClient:
    """Return a client with the cookie of a key's sign-in, by default of the first key."""
    async with httpx2.AsyncClient(base_url=server.url) as client:
        form = {"key": key or server.key}
        answer = await client.post("/sign-in", data=form, headers=SAME_SITE)
    assert answer.status_code == 303, answer.text
    return httpx2.AsyncClient(
        base_url=server.url, cookies=answer.cookies, headers=SAME_SITE | PEOPLE, timeout=60
    )


async def token(client: httpx2.AsyncClient) -> str:
    """Return what a form of this visitor must send as `csrf`."""
    page = await client.get("/")
    found = re.search(r'name="voxgate-csrf" content="([0-9a-f]+)"', page.text)
    assert found, page.text
    return found[1]
