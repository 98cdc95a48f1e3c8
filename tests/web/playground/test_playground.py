"""The playground: from a file and from a microphone to words, in a real browser."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import docx
import jiwer
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.scripted import Scripted
from tests.sounds import SAMPLE, WORDS
from tests.web.browsing import comes, looking, pages_served
from tests.web.playing import words_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

MODEL = "Systran/faster-whisper-base"
PATIENCE_MS = 120_000  # a model is loaded


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """Serve Whisper base, and a model that hears something else, without keys."""
    changed = WORDS.replace("late", "early").replace("Please", "Please do")
    folder, other = tmp_path_factory.mktemp("playground"), Scripted(says=lambda *_: changed)
    async with pages_served(folder, other, auth="off") as running:
        yield running


async def transcribed(page: Page) -> None:
    """Send a recording as a person does, and wait for the whole transcript."""
    await page.goto(f"/playground?model={MODEL}")
    await page.get_by_label("Choose a file").set_input_files(SAMPLE)
    await page.get_by_role("button", name="Transcribe").click()
    await whole(page)


async def whole(page: Page) -> None:
    await page.locator("#facts dd").first.wait_for(timeout=PATIENCE_MS)


def error_rate(text: str) -> float:
    plain, told = (
        "".join(c for c in each.lower() if c.isalnum() or c.isspace()) for each in (WORDS, text)
    )
    return float(jiwer.wer(plain, told))


async def downloaded(page: Page, name: str) -> tuple[str, bytes]:
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name=name, exact=True).click()
    download = await waiting.value
    return download.suggested_filename, Path(await download.path()).read_bytes()


async def test_a_file_becomes_words_to_hear_search_correct_and_take_along(
    browser: Browser, server: Running
) -> None:
    async with looking(browser, server) as page:
        await transcribed(page)
        assert error_rate(await words_of(page)) < 0.2
        facts = await page.locator("#facts").inner_text()
        assert "10.4 s" in facts
        assert "English" in facts
        # a word moves the player, and the word that is spoken is lit
        late = page.locator(".word", has_text="late")
        sound = page.locator("#sound")
        await sound.evaluate(
            "sound => sound.addEventListener('seeked', () => sound.pause(), { once: true })"
        )
        await late.click()
        await expect(page.locator(".word.lit")).to_have_text("late")
        assert 1 < await sound.evaluate("sound => sound.currentTime") < 4
        assert await page.locator("#wave").locator("canvas").count() > 0
        # search
        await page.get_by_label("Search in the transcript").fill("THE M")
        assert await page.locator("#found").inner_text() == "1 of 1"
        assert await page.locator(".found").all_inner_texts() == ["the", "meeting"]
        await page.get_by_label("Search in the transcript").fill("the")
        await page.get_by_role("button", name="Next result").click()
        assert re.fullmatch(r"2 of \d", await page.locator("#found").inner_text())
        await page.get_by_label("Search in the transcript").fill("")
        # corrections, and undo
        await late.dblclick()
        await page.get_by_label("Correct the word").fill("a little late")
        await page.keyboard.press("Enter")
        assert "running a little late because" in await words_of(page)
        await page.get_by_role("button", name="Undo").click()
        assert "running late because" in await words_of(page)
        await late.dblclick()
        await page.get_by_label("Correct the word").fill("early")
        await page.keyboard.press("Enter")
        # downloads have the corrections
        text = (await downloaded(page, "txt"))[1].decode()
        assert "running early because" in text
        assert "".join(text.split()) == "".join((await words_of(page)).split())
        name, srt = await downloaded(page, "srt")
        assert name == "voice-note.srt"
        cues = re.findall(
            r"(\d+)\n([\d:,]{12}) --> ([\d:,]{12})\n(.+?)\n\n", f"{srt.decode()}\n", re.DOTALL
        )
        assert [number for number, *_ in cues] == [str(at + 1) for at in range(len(cues))]
        assert all(start < end for _, start, end, _ in cues)
        assert "early" in " ".join(said for *_, said in cues)
        assert (await downloaded(page, "vtt"))[1].startswith(b"WEBVTT")
        assert b'"word": "early"' in (await downloaded(page, "json"))[1]
        document = docx.Document(io.BytesIO((await downloaded(page, "docx"))[1]))
        assert "running early because" in "\n".join(each.text for each in document.paragraphs)


async def test_what_the_microphone_hears_becomes_words(browser: Browser, server: Running) -> None:
    async with looking(browser, server, permissions=["microphone"]) as page:
        await page.goto(f"/playground?model={MODEL}")
        await page.get_by_role("button", name="Record with the microphone").click()
        await comes(page, "document.querySelector('#level').value > 0.3")
        await expect(page.locator("#recorded-time")).to_have_text("0:07", timeout=60_000)
        await page.get_by_role("button", name="Stop").click()
        await (
            page.locator("#chosen-facts").get_by_text(re.compile(r"kB, [78](\.\d+)? s")).wait_for()
        )
        await page.get_by_role("button", name="Transcribe").click()
        await whole(page)
        text = await words_of(page)
        said, heard = (set(re.findall(r"[a-z']+", each.lower())) for each in (WORDS, text))
        assert len(heard) >= 6, text
        assert len(heard & said) / len(heard) > 0.6, text
        assert ".webm" in await page.locator("#chosen-name").inner_text()


async def test_words_that_differ_between_models_are_marked(
    browser: Browser, server: Running
) -> None:
    async with looking(browser, server) as page:
        names = (MODEL, "scripted/one", "scripted/latest", "no/such")
        await page.goto(f"/playground/compare?{'&'.join(f'model={name}' for name in names)}")
        assert "no/such" in await page.get_by_role("alert").first.inner_text()
        assert await page.locator(".compared thead th").count() == 2  # two names of one model
        await page.get_by_label("Recording, up to").set_input_files(SAMPLE)
        await page.get_by_role("button", name="Transcribe with each").click()
        await page.get_by_text("Every model has answered.").wait_for(timeout=PATIENCE_MS)
        first = page.locator("[data-row=words]").first
        assert error_rate(await first.inner_text()) < 0.2
        assert await page.locator("[data-row=cost]").first.inner_text() == "$0.00"
        assert "as fast as speech" in await page.locator("[data-row=speed]").first.inner_text()
        words = page.locator("[data-row=words][data-model='scripted/one']")
        marked = [" ".join(await words.locator(kind).all_inner_texts()) for kind in ("ins", "del")]
        assert "early" in marked[0]
        assert "late" in marked[1]
        differing = page.locator("[data-row=differs][data-model='scripted/one']")
        assert 2 <= int(await differing.inner_text()) < 15
