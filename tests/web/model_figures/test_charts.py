"""Charts that a browser draws from the tables of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.api.serving import serving
from tests.web.browsing import looking
from voxgate.web.assets import Assets
from voxgate.web.mount import add_pages
from voxgate.web.rendering import POLICY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI
    from playwright.async_api import Browser, Locator
    from starlette.requests import Request
    from starlette.responses import Response

    from tests.api.serving import Running
    from voxgate.api.gateway import Gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

UPTIME = """
<figure data-chart="line" data-unit="%" data-axis="uptime">
<figcaption>Availability</figcaption>
<table>
<thead>
<tr><th scope="col">Hour</th><th scope="col">With</th><th scope="col">Without</th></tr>
</thead>
<tbody>
<tr><th scope="row"><time datetime="2026-11-28T12:00Z">noon</time></th>
<td>100</td><td>98.37</td></tr>
<tr><th scope="row">2026-11-28 13:00</th><td>99.21</td><td></td></tr>
<tr data-partial><th scope="row">2026-11-28 14:00</th><td>99.9</td><td>97</td></tr>
</tbody>
</table>
</figure>
"""
SPENT = """
<figure data-chart="bars" data-unit="$">
<figcaption>Spent</figcaption>
<div class="scroll"><table>
<thead><tr><th scope="col">Key</th><th scope="col">Speech</th><th scope="col">More</th></tr></thead>
<tbody><tr><th scope="row">&lt;img src=x onerror=alert(1)&gt;</th><td>1,204.50</td><td>$3</td></tr>
<tr data-partial><th scope="row">two</th><td>2</td><td>0.1</td></tr></tbody>
</table></div>
</figure>
<figure data-chart="bars"><figcaption>Nothing</figcaption>
<table><thead><tr><th scope="col">Day</th></tr></thead><tbody></tbody></table></figure>
"""


def add_figures(app: FastAPI, gateway: Gateway) -> None:
    """Add pages with figures, and one without what draws them."""
    add_pages(app, gateway)
    address = Assets().address
    sheets = (
        f'<link rel="icon" href="{address("icon.svg")}">'
        f'<link rel="stylesheet" href="{address("style.css")}">'
    )
    module = f'<script type="module" src="{address("charts/charts.js")}"></script>'
    plot = f'<script defer src="{address("vendor/uPlot.iife.min.js")}"></script>'

    def page(scripts: str) -> Response:
        head = f'<!doctype html><html lang="en"><title>Figures</title>{sheets}{scripts}'
        headers = {"Content-Security-Policy": POLICY.format(nonce="none")}
        return HTMLResponse(f"{head}<main>{UPTIME}{SPENT}</main></html>", headers=headers)

    async def figures(_: Request) -> Response:
        return page(plot + module)

    async def tables(_: Request) -> Response:
        return page(module)

    app.router.routes.append(Route("/figures", figures))
    app.router.routes.append(Route("/tables", tables))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serving(tmp_path_factory.mktemp("charts"), pages=add_figures) as running:
        yield running


async def size(element: Locator) -> tuple[float, float]:
    """Return the width and the height of what is shown."""
    box = await element.bounding_box()
    assert box
    return box["width"], box["height"]


async def test_a_chart_is_read_by_the_keyboard(browser: Browser, server: Running) -> None:
    async with looking(browser, server, color_scheme="light") as page:
        await page.goto("/figures")
        chart = page.get_by_role("slider", name="Availability")
        await page.keyboard.press("Tab")  # the button
        await page.keyboard.press("Tab")
        last = "2026-11-28 14:00 (partial): With: 99.9 %, Without: 97 %"
        assert await chart.get_attribute("aria-valuetext") == last
        await page.keyboard.press("ArrowLeft")
        gap = "2026-11-28 13:00: With: 99.21 %, Without: no data"
        assert await chart.get_attribute("aria-valuetext") == gap
        assert await chart.locator(".chart-tip").is_visible()
        await page.keyboard.press("Home")
        await page.keyboard.press("ArrowLeft")  # there is nothing before it
        assert "noon: With: 100 %" in str(await chart.get_attribute("aria-valuetext"))
        await page.keyboard.press("Escape")
        assert not await chart.locator(".chart-tip").is_visible()


async def test_a_pointer_shows_the_values_below_it_as_text(
    browser: Browser, server: Running
) -> None:
    async with looking(browser, server) as page:
        await page.goto("/figures")
        await (
            page.get_by_role("slider", name="Spent")
            .locator(".u-over")
            .hover(position={"x": 40, "y": 40})
        )
        tip = page.locator(".chart-tip:visible")
        assert await tip.locator("strong").inner_text() == "<img src=x onerror=alert(1)>"
        assert (await tip.locator("div").all_inner_texts()) == ["Speech $1,204.50", "More $3"]


async def test_the_table_stays_behind_its_button(browser: Browser, server: Running) -> None:
    async with looking(browser, server) as page:
        await page.goto("/figures")
        figure = page.locator("figure").first
        assert await page.locator(".drawing").count() == 2  # of nothing there is no chart
        assert await figure.get_by_role("rowheader", name="noon").count() == 1  # for screen readers
        _, height = await size(figure)
        button = figure.get_by_role("button", name="Table")
        assert await figure.locator(".scroll").get_attribute("tabindex") == "-1"
        await button.click()
        assert await figure.locator(".scroll").get_attribute("tabindex") == "0"
        assert await button.get_attribute("aria-pressed") == "true"
        assert (await size(figure.locator("table")))[0] > 300
        assert not await figure.locator(".chart").is_visible()
        assert (await size(figure))[1] == height  # nothing moves
        await button.click()
        assert await figure.locator(".chart").is_visible()


async def test_colours_and_size_are_those_of_the_moment(browser: Browser, server: Running) -> None:
    drawn_in = """(colour) => {
        const canvas = document.querySelector("canvas");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        for (let at = 0; at < data.length; at += 4)
            if (colour.every((part, index) => data[at + index] === part)) return true;
        return false;
    }"""
    light, dark = [0x1F, 0x4F, 0xD1, 255], [0x8F, 0xB0, 0xFF, 255]  # --series-0 of style.css
    # To wait for a condition, Playwright evaluates text in the page, which its policy forbids.
    async with looking(browser, server, color_scheme="light", bypass_csp=True) as page:
        await page.goto("/figures")
        await page.locator("canvas").first.wait_for()
        await page.wait_for_function(drawn_in, arg=light)
        assert not await page.evaluate(drawn_in, dark)
        await page.emulate_media(color_scheme="dark")
        await page.wait_for_function(drawn_in, arg=dark)
        assert not await page.evaluate(drawn_in, light)
        await page.set_viewport_size({"width": 360, "height": 700})
        await page.wait_for_function(
            "[...document.querySelectorAll('canvas')].every((each) => each.clientWidth < 360)"
        )
        assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_without_what_draws_it_a_page_has_its_tables(
    browser: Browser, server: Running
) -> None:
    async with looking(browser, server) as page:
        await page.goto("/tables")
        assert await page.locator("table").first.is_visible()
        assert await page.locator(".drawing, .chart-toggle").count() == 0
