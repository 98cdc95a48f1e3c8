"""What the playground keeps in the browser, for whom, and what a cancel ends."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.async_api import expect

from tests.api.serving import Gate, new_key
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import encode, sample
from tests.web.browsing import comes, looking, pages_served, sign_in
from tests.web.playing import MODEL, TEXTS, playing, start, whole, with_modules
from voxgate.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Page

pytestmark = pytest.mark.asyncio(loop_scope="session")


KEPT = """() => new Promise((resolve) => {
    indexedDB.open("voxgate-playground").onsuccess = ({ target: opened }) => {
        const reading = opened.result.transaction(["work", "segments"]);
        const work = reading.objectStore("work").get("work");
        const segments = reading.objectStore("segments").count();
        reading.oncomplete = () => {
            opened.result.close();
            resolve({ state: work.result?.state, segments: segments.result });
        };
    };
})"""
"""Tells what the browser keeps."""


async def keeps(page: Page, state: str | None, segments: int) -> None:
    """Wait until the browser keeps a work in this state, or None, with so many segments."""
    wanted = {"segments": segments} if state is None else {"state": state, "segments": segments}
    kept = f"JSON.stringify(kept) === {json.dumps(json.dumps(wanted, separators=(',', ':')))}"
    await comes(page, f"({KEPT})().then((kept) => {kept})")


def four_windows(folder: Path) -> Path:
    """Return a recording that a model with windows of 12 s hears in four."""
    recording = folder / "long.flac"
    pause = np.zeros(16_000, np.int16)
    recording.write_bytes(encode(np.concatenate([sample(), pause] * 4), recording.name))
    return recording


def in_windows(gate: Gate, blocked: int) -> Scripted:
    """Return a model that stops before a window until the gate is opened."""
    return Scripted(
        window_s=12.0,
        says=lambda number, _: TEXTS[number % 4],
        gate=lambda number: gate(number) if number == blocked else None,
    )


async def test_a_reload_keeps_the_words_and_offers_to_go_on(
    browser: Browser, tmp_path: Path
) -> None:
    gate = Gate()
    provider = in_windows(gate, 2)
    async with playing(browser, tmp_path, provider) as (page, _):
        await start(page, four_windows(tmp_path))
        await expect(page.locator(".line-text")).to_have_text(TEXTS[:2])
        assert "of sound" in await page.locator("#work-figures").inner_text()
        await keeps(page, "sending", 2)
        await page.reload()
        await until(lambda: provider.running == 0, "the end of the work that was left")
        await expect(page.locator("#kept")).to_contain_text("was not finished")
        await expect(page.locator("#kept")).to_contain_text("the whole recording is sent again")
        await expect(page.locator(".line-text")).to_have_text(TEXTS[:2])
        await comes(page, "document.querySelector('#sound').duration > 40")
        gate.open.set()
        await page.get_by_role("button", name="Send it again").click()
        await expect(page.locator(".line-text")).to_have_text(TEXTS)
        await keeps(page, "done", 4)
        await page.reload()
        await expect(page.locator(".line-text")).to_have_text(TEXTS)
        await expect(page.locator("#kept")).to_be_hidden()
        await page.get_by_role("button", name="Throw away").click()
        await expect(page.locator("#result")).to_be_hidden()  # it is, when nothing is kept
        await page.reload()
        await expect(page.locator("#estimate")).to_contain_text("Choose a recording first")
        await expect(page.locator("#result")).to_be_hidden()


async def test_corrections_survive_a_reload(browser: Browser, tmp_path: Path) -> None:
    async with playing(browser, tmp_path) as (page, _):
        await start(page)
        await whole(page)
        await page.locator(".word", has_text="start").dblclick()
        await page.get_by_label("Correct the word").fill("end")
        await page.keyboard.press("Enter")
        await expect(page.locator("#tools-say")).to_have_text("Kept in this browser.")
        await page.reload()
        await expect(page.locator(".line-text")).to_have_text(["Please end the meeting."])


async def test_nothing_is_kept_where_that_is_not_wanted(browser: Browser, tmp_path: Path) -> None:
    async with playing(browser, tmp_path) as (page, _):
        await page.get_by_label("Keep the recording").uncheck()
        await start(page)
        await whole(page)
        await expect(page.locator("#away-says")).to_contain_text("Nothing is kept")
        await page.reload()
        await expect(page.locator("#estimate")).to_contain_text("Choose a recording first")
        await expect(page.locator("#result")).to_be_hidden()


async def test_a_second_user_of_the_browser_sees_nothing_of_the_first(
    browser: Browser, tmp_path: Path
) -> None:
    scripted = Scripted(says=lambda *_: "A secret.")
    async with pages_served(tmp_path, scripted) as server, looking(browser, server) as page:
        await sign_in(page, await new_key(server, "first user"))
        await page.goto(f"/playground{MODEL}")
        await start(page)
        await whole(page)
        await page.context.clear_cookies()  # a sign-in that ended by itself
        await sign_in(page, await new_key(server, "second user"))
        await page.goto("/playground")
        await expect(page.locator("#estimate")).to_contain_text("Choose a recording first")
        assert "secret" not in await page.content()
        await keeps(page, None, 0)
        await start(page)
        await whole(page)
        await keeps(page, "done", 1)
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("link", name="Sign in").wait_for()
        await comes(page, "indexedDB.databases().then((all) => all.length === 0)")


async def test_of_two_pages_the_last_one_keeps_its_work(browser: Browser, tmp_path: Path) -> None:
    gate = Gate()
    async with playing(browser, tmp_path, in_windows(gate, 1)) as (page, _):
        await start(page, four_windows(tmp_path))
        await expect(page.locator(".line-text")).to_have_text(TEXTS[:1])
        other = await page.context.new_page()
        await other.goto(f"/playground{MODEL}")
        await expect(other.locator("#kept")).to_contain_text("was not finished")
        await other.get_by_role("button", name="Throw it away").click()
        await expect(other.locator("#kept")).to_be_hidden()
        gate.open.set()
        await whole(page)
        await other.reload()
        await expect(other.locator("#estimate")).to_contain_text("Choose a recording first")
        await expect(other.locator("#result")).to_be_hidden()


async def test_what_came_before_a_failure_is_shown(browser: Browser, tmp_path: Path) -> None:
    broken = EngineError("The engine stalled. Try again.", code="engine_stalled")
    gate = Gate()
    provider = in_windows(gate, 1)
    provider.script({1: [broken] * 9})
    async with playing(browser, tmp_path, provider, refused=True) as (page, _):
        await start(page, four_windows(tmp_path))
        await expect(page.locator(".line-text")).to_have_text(TEXTS[:1])
        gate.open.set()  # a stream has begun: before it, the failure would be the whole answer
        await expect(page.locator("#failed")).to_contain_text(
            re.compile(r"The engine stalled\.|engine_stalled")  # the browser may lose the sentence
        )
        await expect(page.locator(".line-text")).to_have_text(TEXTS[:1])
        asked = await page.locator("#generation").text_content()
        told = await with_modules(
            page,
            f"""
            const {{ Transcription }} = await load("playground/transcription.js");
            const broken = new Transcription();
            broken.generation = {json.dumps(asked)};
            return broken.outcome();
            """,
        )
        assert "engine_stalled (503)" in told
        await keeps(page, "failed", 1)
        await page.reload()
        await expect(page.locator("#kept-sentence")).to_contain_text("was not finished")


async def test_a_cancel_frees_the_engine(browser: Browser, tmp_path: Path) -> None:
    provider = in_windows(Gate(), 1)
    async with playing(browser, tmp_path, provider) as (page, _):
        await start(page, four_windows(tmp_path))
        await expect(page.locator(".line-text")).to_have_text(TEXTS[:1])
        await page.get_by_role("button", name="Cancel").click()
        await until(lambda: provider.running == 0, "the end of the cancelled work")
        await expect(page.locator("#failed")).to_contain_text("the server has stopped")
        await expect(page.locator(".line-text")).to_have_text(TEXTS[:1])
        await expect(page.get_by_role("button", name="Transcribe")).to_be_enabled()
