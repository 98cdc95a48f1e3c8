"""The account: what was used, by whom, and that nobody sees what another one used."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.api.serving import FILE, SCRIPTED, new_key, with_key
from tests.scripted import Scripted
from tests.web.browsing import looking, pages_served, sign_in
from tests.web.signed_in import signed_in
from voxgate.errors import EngineError
from voxgate.ledger.activity_query import today
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.generation import Generation
from voxgate.ledger.key import hash_of
from voxgate.ledger.ledger import Ledger
from voxgate.prices import parse_prices

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTACK = "<img src=x onerror=alert(1)>"
NOT_FOUND = "No generation that you may see"


@dataclass
class Two:
    """A server, two keys that transcribe, and one that manages."""

    server: Running
    one: str
    other: str
    manager: str

    async def send(self, key: str, app: str = "", status: int = 200) -> str:
        """Send a recording. Return the id of its generation."""
        headers = with_key(key) | ({"X-Title": app} if app else {})
        answer = await self.server.client.post(
            "/audio/transcriptions", files=FILE, data={"model": SCRIPTED}, headers=headers
        )
        assert answer.status_code == status, answer.text
        return answer.headers["x-generation-id"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    async with pages_served(
        tmp_path_factory.mktemp("account"),
        Scripted(says=lambda *_: f"words {ATTACK}"),
        prices=parse_prices(f"{SCRIPTED} = 0.06/minute", "test"),
        transcript_key=(b"0" * 32,),
        credits=0.03,
    ) as server:
        one = await new_key(server, "one", limit_samples=16_000 * 20, keep_transcripts_days=1)
        other = await new_key(server, "other", labels=[ATTACK])
        manager = await new_key(server, "manager", management=True)
        yield Two(server, one, other, manager)


async def test_usage_grows_by_what_was_sent(browser: Browser, two: Two) -> None:
    async with looking(browser, two.server) as page:
        await sign_in(page, two.one)
        await page.goto("/account")
        assert "0 min of 20 s" in await page.locator(".limits").inner_text()
        await two.send(two.one, app="Notebook")
        await page.reload()
        bar = await page.locator(".limits").inner_text()
        assert "10.42 s of 20 s" in bar
        assert "9.58 s left" in bar
        facts = await page.locator("main").inner_text()
        assert "$0.0104" in facts

        await page.goto("/account/usage?by=app")
        assert "$0.01042" in await page.locator(".cards").inner_text()
        await page.get_by_role("link", name="Requests").click()
        assert await page.locator(".cards [aria-current] strong").inner_text() == "1"
        row = page.locator("main > .scroll").get_by_role("row").filter(has_text="Notebook")
        assert (await row.inner_text()).split() == ["Notebook", "0", "1", "0.033", "1"]


async def test_an_attempt_and_a_kept_transcript_are_shown_to_their_key(
    browser: Browser, two: Two
) -> None:
    async with looking(browser, two.server) as page:
        id_ = await two.send(two.other, app=ATTACK)
        await sign_in(page, two.other)
        await page.goto("/account/generations")
        assert await page.get_by_role("columnheader", name="Began, UTC").is_visible()
        assert ATTACK in await page.locator("main").inner_text()
        await page.get_by_role("link", name=str(today())).first.click()
        assert page.url.endswith(id_)
        shown = await page.locator("main").inner_text()
        assert ATTACK in shown
        assert "$0.0104" in shown
        assert "No transcript of" in shown
        attempt = page.locator(".scroll tbody").get_by_role("row")
        assert (await attempt.inner_text()).split()[:3] == ["Local", "succeeded", "200"]
        assert await page.locator("main img").count() == 0


async def test_a_failure_has_its_attempts(two: Two) -> None:
    two.server.provider.script({0: [EngineError("It ended.")] * 5})
    id_ = await two.send(two.other, status=503)
    two.server.provider.script({})
    async with await signed_in(two.server, two.other) as client:
        page = (await client.get(f"/account/generations/{id_}")).text
        assert page.count("engine_error") >= 2
        listed = (await client.get("/account/generations?outcome=failed")).text
        assert id_ in listed
        assert id_ not in (await client.get("/account/generations?outcome=succeeded")).text


async def test_a_second_key_sees_nothing_of_the_first_s(two: Two) -> None:
    third = await new_key(two.server, "third", keep_transcripts_days=1)
    id_ = await two.send(third, app="Hidden")
    async with await signed_in(two.server, third) as client:
        kept = (await client.get(f"/account/generations/{id_}")).text
        assert "words &lt;img" in kept
    async with await signed_in(two.server, two.other) as client:
        own = await client.get(f"/account/generations/{id_}")
        assert own.status_code == 404
        assert NOT_FOUND in own.text
        hash_ = hash_of(two.one)
        for path in (
            *("/account", "/account/usage?by=app", "/account/usage?by=key"),
            *("/account/usage.csv?by=app", "/account/usage.csv?by=key"),
            *("/account/generations", f"/account/generations?key={hash_}"),
        ):
            text = (await client.get(path)).text
            assert "Hidden" not in text, path
            assert id_ not in text, path
            assert "third" not in text, path
            assert ">one<" not in text, path
        beyond = await client.get(f"/account/generations?before={id_}")
        assert beyond.status_code == 400
    async with await signed_in(two.server, two.manager) as client:
        page = (await client.get(f"/account/generations/{id_}")).text
        assert "third" in page
        assert "words" not in page  # a transcript is its key's alone
        assert "Hidden" in (await client.get("/account/usage.csv?by=app")).text
        credit = (await client.get("/account")).text
        assert "of $0.03" in credit
        assert 'class="limit over"' in credit


async def test_the_csv_has_what_the_page_has(two: Two) -> None:
    async with await signed_in(two.server, two.manager) as client:
        answer = await client.get("/account/usage.csv?by=key")
        assert answer.headers["content-type"].startswith("text/csv")
        assert "attachment" in answer.headers["content-disposition"]
        rows = list(csv.DictReader(answer.text.splitlines()))
        cost = sum(float(row["cost"]) for row in rows if row["key"] == "other")
        page = await client.get("/account/usage?by=key&sort=name")
        cells = page.text.partition('row">other</th>')[2].partition("</tr>")[0]
        assert f"${cost:.4g}" in cells


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("by=user", "must be one of model, key, app, label, provider"),
        ("metric=words", "must be one of spend, audio, requests"),
        ("sort=x", "must be one of name, min"),
        ("since=yesterday", "must be a day as 2026-11-29"),
        ("since=1000-01-01", "at most"),
        (f"by={ATTACK}", "must be one of"),
    ],
)
async def test_an_address_that_means_nothing_is_told(two: Two, query: str, told: str) -> None:
    async with await signed_in(two.server, two.one) as client:
        for path in ("/account/usage", "/account/usage.csv"):
            if "1000" in query and path.endswith(".csv"):
                continue  # rows, not buckets: as many as there are
            answer = await client.get(f"{path}?{query}")
            assert answer.status_code == 400
            assert told in answer.text
            assert "<img" not in answer.text


async def test_pages_of_generations_follow_each_other(two: Two) -> None:
    key = await new_key(two.server, "many")
    sent = [f"gen-stt-{number}-page" for number in range(52)]
    async with await Ledger.open(two.server.settings.home / LEDGER_FILE) as ledger:
        for id_ in sent:
            await ledger.generations.begin(Generation(id_, hash_of(key), SCRIPTED))
    async with await signed_in(two.server, key) as client:
        first = (await client.get("/account/generations")).text
        assert all(id_ in first for id_ in sent[2:])
        older = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
        second = (await client.get(older.replace("&amp;", "&"))).text
        assert [id_ for id_ in sent if f"/{id_}" in second] == sent[:2]


async def test_usage_is_shown_where_its_percentiles_would_be_of_too_much(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page has none, so it does not ask for them."""
    key = await new_key(two.server, "much")
    await two.send(key)
    monkeypatch.setattr("voxgate.ledger.activity.MOST_HISTOGRAMS", 0)
    async with await signed_in(two.server, key) as client:
        assert "$0.01042" in (await client.get("/account/usage")).text
        assert (await client.get("/account/usage.csv")).status_code == 400
