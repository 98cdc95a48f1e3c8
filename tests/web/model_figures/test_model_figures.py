"""What the page of a model shows over time, and to whom."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest
import pytest_asyncio
from jinja2 import ChoiceLoader, DictLoader, Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse
from starlette.routing import Route

import voxgate.ledger.lifecycle
import voxgate.web.model_figures.model_figures
from tests.api.serving import SCRIPTED, serving
from tests.web.browsing import looking, sign_in
from voxgate.errors import UsageError
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.budget import Amount
from voxgate.ledger.canary_results import CanaryResult
from voxgate.ledger.endpoint_hours import HourOfEndpoint
from voxgate.ledger.generation import AnsweredBy, Generation, Met, Outcome
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.usage_hours import start_of_hour
from voxgate.web.assets import Assets
from voxgate.web.figures import FILTERS
from voxgate.web.model_figures.figure_choice import FigureChoice
from voxgate.web.model_figures.model_figures import model_figures
from voxgate.web.mount import add_pages
from voxgate.web.rendering import POLICY
from voxgate.web.signing.visitor import find_visitor
from voxgate.web.site import Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fastapi import FastAPI
    from playwright.async_api import Browser, Page
    from starlette.requests import Request
    from starlette.responses import Response

    from tests.api.serving import Running
    from voxgate.api.gateway import Gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

PARTS = ("performance", "effective_price", "apps", "activity", "uptime")
FIGURES_PAGE = """<!doctype html><html lang="en"><head><title>Figures</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="{{ assets.address('icon.svg') }}">
<link rel="stylesheet" href="{{ assets.address('style.css') }}">
{% include "charts.html" %}</head><body><main><h1>A model</h1>
{% for part in parts %}<section id="{{ part }}"><h2>{{ part|capitalize }}</h2>
{% include "model/" ~ part ~ ".html" %}</section>{% endfor %}
</main></body></html>"""
"""The parts of a model's page that have figures, below each other."""

LOCAL, BAD_NAME = f"local/{SCRIPTED}", "<script>alert(1)</script>"
ANSWERED = Outcome(
    200,
    900,
    generation_time_ms=800,
    first_text_ms=400,
    audio_samples=60 * 16_000,
    cost=Amount(6_000_000),
    answered_by=AnsweredBy("Local", SCRIPTED),
    met=Met(SCRIPTED, "answered"),
)


@dataclass
class Filled:
    """A server with some days behind it."""

    server: Running
    alice: str  # secrets of keys
    bob: str
    manager: str


def add_figures(app: FastAPI, gateway: Gateway) -> None:
    """Add the pages, and one with the figures of the scripted model."""
    add_pages(app, gateway)
    loader = ChoiceLoader(
        [DictLoader({"figures.html": FIGURES_PAGE}), PackageLoader("voxgate.web")]
    )
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    templates.filters.update(FILTERS)
    templates.globals.update(assets=Assets(), parts=PARTS)

    async def figures(request: Request) -> Response:
        site, visitor = Site.of(request), await find_visitor(request)
        spec = await gateway.session.resolve(SCRIPTED)
        found = await model_figures(site, spec, visitor, FigureChoice.of(request.query_params))
        page = templates.get_template("figures.html").render(
            figures=found, visitor=visitor, spec=spec, path="/figures"
        )
        headers = {"Content-Security-Policy": POLICY.format(nonce="none")}
        return HTMLResponse(page, headers=headers)

    app.router.routes.append(Route("/figures", figures))


async def fill(ledger: Ledger, now: datetime, alice: str, bob: str) -> None:
    """Record some days of two keys, of which bob's is the last hour alone."""
    number = 0

    async def end(moment: datetime, key: str, outcome: Outcome, **app: str) -> None:
        nonlocal number
        number += 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(voxgate.ledger.lifecycle, "utc_now", lambda: moment)
            id_ = f"gen-{number}"
            await ledger.generations.begin(Generation(id_, key, SCRIPTED, **app))  # type: ignore[arg-type]
            await ledger.generations.finish(id_, outcome)

    notes = {"app_title": "Notes", "http_referer": "https://notes.example"}
    for days in range(12):
        for _ in range(2):
            await end(now - timedelta(days=days), alice, ANSWERED, **notes)
    saved = replace(ANSWERED, met=Met(SCRIPTED, "saved"))
    failed = Outcome(503, 5, answered_by=None, met=Met(SCRIPTED, "unavailable"))
    for hours in range(1, 20):
        for outcome in (ANSWERED, ANSWERED, saved):
            await end(now - timedelta(hours=hours), alice, outcome, **notes)
    await end(now - timedelta(hours=3), alice, failed)
    said = {"http_referer": "javascript:alert(1)", "app_categories": "<b>bold</b>,notes"}
    await end(now, bob, ANSWERED, app_title=BAD_NAME, **said)
    hour = start_of_hour(now)
    await ledger.endpoint_hours.add(
        {
            HourOfEndpoint(LOCAL, hour - timedelta(hours=ago)): ((50, 0), (9, 1), (3, 2))[ago % 3]
            for ago in range(60)
        }
    )
    canary = CanaryResult(
        LOCAL, now, SCRIPTED, None, None, "d", 3, 0, 3, 0, 8, 100, 9.0, 1.0, cost_nanodollars=None
    )
    for days in range(5):
        moment = now - timedelta(days=days)
        await ledger.canaries.add(replace(canary, measured_at=moment, errors=8 + days))


@asynccontextmanager
async def filled(folder: Path) -> AsyncIterator[Filled]:
    now = datetime.now(UTC)
    (folder / "home").mkdir()
    async with await Ledger.open(folder / "home" / LEDGER_FILE) as ledger:
        alice, alices = await ledger.keys.create("alice")
        bob, bobs = await ledger.keys.create("bob")
        _, managers = await ledger.keys.create("manager", management=True)
        await fill(ledger, now, alice.hash, bob.hash)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            voxgate.web.model_figures.model_figures, "utc_now", lambda: now
        )  # also as an hour ends
        async with serving(folder, pages=add_figures) as server:
            yield Filled(server, alices, bobs, managers)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Filled]:
    async with filled(tmp_path_factory.mktemp("figures")) as running:
        yield running


async def fact(page: Page, section: str, name: str) -> str:
    """Return a figure of the facts of a section."""
    fact = page.locator(f"#{section} .facts > div", has_text=name)
    return await fact.locator("dd").inner_text()


async def test_anybody_sees_health_speed_and_price_but_nobody_s_use(
    browser: Browser, pages: Filled
) -> None:
    async with looking(browser, pages.server) as page:
        await page.goto("/figures")
        latency = page.get_by_role("slider", name="Latency")
        said = str(await latency.get_attribute("aria-valuetext"))
        assert said.endswith("(partial): Local: 0.91 s")  # 900 ms: the middle of their bucket
        assert await page.get_by_role("slider", name="Time to first text").count() == 1
        assert await fact(page, "effective_price", "Local") == "$0.36 per audio hour"
        assert await page.get_by_text("8.0 % at").count() == 1
        assert await fact(page, "uptime", "Recordings saved") == "19"
        for section in ("apps", "activity"):
            assert "Sign in" in await page.locator(f"#{section}").inner_text()
        assert await page.locator("#activity table").count() == 0
        assert "alice" not in await page.content()


async def test_uptime_is_read_cell_by_cell(browser: Browser, pages: Filled) -> None:
    async with looking(browser, pages.server) as page:
        await page.goto("/figures")
        cells = page.get_by_label(f"Uptime of {LOCAL}").get_by_role("listitem")
        assert await cells.count() == 72
        kinds = [str(await cells.nth(number).get_attribute("class")) for number in (-1, -2, -3, 0)]
        assert kinds == ["good", "fair", "bad", "none"]
        assert (await cells.nth(-2).inner_text()).endswith("UTC: 90.00 %")
        assert (await cells.nth(-1).inner_text()).endswith("(partial): 100.00 %")
        routing = page.get_by_role("slider", name="The last 24 hours")
        await routing.focus()
        await page.keyboard.press("ArrowLeft")
        said = str(await routing.get_attribute("aria-valuetext"))
        assert said.endswith("With routing: 100.00 %, Without routing: 66.66 %")


@pytest.mark.parametrize(
    ("who", "requests", "apps"), [("alice", "82", 1), ("bob", "1", 1), ("manager", "83", 2)]
)
async def test_a_key_sees_its_own_use_and_its_manager_all(
    browser: Browser, pages: Filled, who: str, requests: str, apps: int
) -> None:
    async with looking(browser, pages.server) as page:
        await sign_in(page, getattr(pages, who))
        await page.goto("/figures")
        assert await fact(page, "activity", "Requests") == requests
        rows = page.locator("#apps tbody tr")
        assert await rows.count() == apps
        titles = await page.locator("#apps tbody th").all_inner_texts()
        assert any("Notes" in title for title in titles) == (who != "bob")
        assert any(BAD_NAME in title for title in titles) == (who != "alice")
        assert await page.locator("#apps a[href^='javascript']").count() == 0
        assert await page.locator("#apps b").count() == 0


async def test_activity_is_by_the_hour_the_day_and_the_year(
    browser: Browser, pages: Filled
) -> None:
    async with looking(browser, pages.server) as page:
        await sign_in(page, pages.manager)
        await page.goto("/figures")
        for name, rows, failed in (
            ("48 hours", 48, "1"),
            ("A year", 365, "1"),
            ("30 days", 30, "1"),
        ):
            await page.get_by_role("navigation", name="Period").get_by_text(name).click()
            await page.wait_for_url("**period=*")
            assert await page.locator("#activity figure").first.locator("tbody tr").count() == rows
            assert await fact(page, "activity", "Failed") == failed
            last = page.locator("#activity tr[data-partial]").first
            assert "(partial)" in await last.locator("th").inner_text()


async def test_a_choice_that_is_not_there_is_told(pages: Filled) -> None:
    assert FigureChoice.of({"period": "1y", "other": "x"}) == FigureChoice("1y")
    with pytest.raises(UsageError, match="one of p50, p75, p90, p99, not 'p51'"):
        FigureChoice.of({"percentile": "p51"})
    async with httpx2.AsyncClient(base_url=pages.server.url) as client:
        assert (await client.get("/figures?period=2y")).status_code == 400


async def test_of_nothing_it_says_what_brings_it(tmp_path: Path, browser: Browser) -> None:
    async with (
        serving(tmp_path, pages=add_figures, auth="off") as server,
        looking(browser, server) as page,
    ):
        await page.goto("/figures")
        text = await page.locator("main").inner_text()
        for said in (
            "The first one brings latency",
            "set canary_every_s",
            "The first recording brings",
            "No app has named itself",
            "Nothing was asked of it",
            "No hour of the last 24",
        ):
            assert said in text
        assert await page.locator(".chart").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_phone(browser: Browser, pages: Filled, scheme: str) -> None:
    size = {"width": 360, "height": 800}
    async with looking(browser, pages.server, color_scheme=scheme, viewport=size) as page:
        await sign_in(page, pages.manager)
        await page.goto("/figures")
        await page.locator(".chart canvas").first.wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
