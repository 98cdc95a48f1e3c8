"""What is wrong with a page: its width, accessibility, shifts, and parts from elsewhere.

axe-core (npm, `make clients`) judges accessibility by WCAG 2; its findings have an impact.
"""

from __future__ import annotations

import os
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest

from tests.processes import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page, Request, StorageState

Scheme: TypeAlias = Literal["light", "dark"]

WIDTHS = (360, 1440)  # CSS pixels: the narrowest usual phone, a laptop
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
GRAVE = {"serious", "critical"}

AXE = Path(__file__).parents[1] / "clients" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = os.environ.get("VOXGATE_SCREENSHOTS")
"""The folder for a screenshot of each page; without it none is made."""

WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const moved = entry.sources.map((source) => source.node?.outerHTML?.slice(0, 120));
    window.shifts.push(`${entry.value.toFixed(4)} ${moved.join(" | ")}`);
  }
}).observe({type: "layout-shift", buffered: true});
"""

SETTLED = """async () => {
  await document.fonts.ready;
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}"""

TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = [...document.body.querySelectorAll("*")]
    .filter((each) => each.getBoundingClientRect().right > width + 1 && !each.closest(".scroll"))
    .map((each) => each.outerHTML.slice(0, 120));
  return wide.length ? wide : ["something that has no box of its own"];
}"""

BLOCKING_FONTS = """() => [...document.fonts]
  .filter((font) => !["swap", "optional", "fallback"].includes(font.display))
  .map((font) => font.family)"""

GRAVE_FINDINGS = """async (impacts) => {
  const found = await axe.run(document, {resultTypes: ["violations"], preload: false});
  return found.violations.filter((each) => impacts.includes(each.impact)).flatMap((each) =>
    each.nodes.map((node) => `${each.id}: ${node.html.slice(0, 160)}: ${node.failureSummary}`));
}"""


@dataclass
class Looker:
    """A page of one browser window, and all that it asked for."""

    page: Page
    origin: str
    elsewhere: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    shifts: list[str] = field(default_factory=list)
    _running: set[Request] = field(default_factory=set)

    def watch(self) -> None:
        """Note requests to others, and what the console says of failures."""
        self.page.on("request", self._asked)
        self.page.on("requestfinished", self._ended)
        self.page.on("requestfailed", self._ended)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "console",
            lambda told: self.faults.append(told.text) if told.type == "error" else None,
        )

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.elsewhere.append(request.url)
        if request.resource_type != "eventsource":  # which never ends
            self._running.add(request)

    def _ended(self, request: Request) -> None:
        self._running.discard(request)

    async def open(self, address: str) -> None:
        """Open a page, and wait until its scripts have asked for all that they want."""
        answer = await self.page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        assert self.page.url == self.origin + address, "it leads elsewhere: look at that page"
        await until(lambda: not self._running, "the end of what the page loads")
        await self.page.evaluate(SETTLED)
        self.shifts = await self.page.evaluate("window.shifts")  # a screenshot makes others

    async def wear(self, scheme: Scheme) -> None:
        """Show the page that is open in these colours."""
        await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await self.page.evaluate(SETTLED)

    async def wrongs(self) -> list[str]:
        """Return all that is wrong with the page that is open, each as a sentence."""
        found = [f"the console says: {each}" for each in self.faults]
        found += [f"it loads {each}" for each in self.elsewhere]
        found += [f"wider than the page: {each}" for each in await self.page.evaluate(TOO_WIDE)]
        found += [f"it moves: {each}" for each in self.shifts]
        found += [f"{each} blocks text" for each in await self.page.evaluate(BLOCKING_FONTS)]
        if not await self.page.evaluate("window.axe !== undefined"):
            await self.page.evaluate(axe_source())
        return [*found, *await self.page.evaluate(GRAVE_FINDINGS, sorted(GRAVE))]

    async def photograph(self, name: str) -> None:
        """Write a screenshot of the whole page, where a folder for it is named."""
        if SCREENSHOTS:
            path = Path(SCREENSHOTS) / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.png"
            await self.page.screenshot(path=path, full_page=True)


@asynccontextmanager
async def looker(
    browser: Browser,
    origin: str,
    width: int,
    visitor: StorageState | None = None,
) -> AsyncIterator[Looker]:
    """Open a window of this width, with the cookies of a visitor."""
    options: dict[str, Any] = {} if visitor is None else {"storage_state": visitor}
    context = await browser.new_context(
        base_url=origin,
        viewport={"width": width, "height": 900},
        color_scheme=SCHEMES[0],
        reduced_motion="reduce",
        **options,
    )
    try:
        await context.add_init_script(WATCH_SHIFTS)
        looks = Looker(await context.new_page(), origin)
        looks.watch()
        yield looks
    finally:
        await context.close()


def axe_source() -> str:
    """Return axe-core's script, which the page's policy would not let it load itself."""
    if not AXE.exists():
        pytest.fail("axe-core is not installed: run `make clients`.")
    return AXE.read_text(encoding="utf-8")
