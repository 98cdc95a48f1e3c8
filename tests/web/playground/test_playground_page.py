"""The playground with a scripted model: attacks, the keyboard alone, speakers, ten hours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.async_api import expect

from tests.scripted import Scripted
from tests.sounds import SAMPLE, encode, sample
from tests.web.browsing import comes, tab_to
from tests.web.playing import MODEL, TEXTS, playing, start, whole, with_modules

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = "<img src=x onerror=\"document.title='owned'\">"


async def test_neither_file_names_nor_words_are_markup(browser: Browser, tmp_path: Path) -> None:
    recording = tmp_path / f"{EVIL.replace('/', '')}.flac"
    recording.write_bytes(SAMPLE.read_bytes())
    says = Scripted(says=lambda *_: f"{EVIL} </script> 'quoted' &amp; {{{{7*7}}}}")
    async with playing(browser, tmp_path, says) as (page, _):
        await start(page, recording)
        await whole(page)
        await expect(page.locator(".line-text")).to_contain_text("onerror")
        await page.locator(".word").first.dblclick()
        await page.get_by_label("Correct the word").fill(EVIL)
        await page.keyboard.press("Enter")
        await page.get_by_text("The request as curl and code").click()
        await page.reload()
        await expect(page.locator(".line-text")).to_contain_text(EVIL)
        async with page.expect_download() as waiting:
            await page.get_by_role("button", name="vtt", exact=True).click()
        assert not set((await waiting.value).suggested_filename) & set('<>"/\\')
        assert await page.locator("main img, main iframe, main script").count() == 0
        assert await page.title() == "Playground - Voxgate"
        await page.goto(f"/playground?model={EVIL}&language={EVIL}&prompt={EVIL}")
        await expect(page.get_by_role("alert").first).to_contain_text("no model that you can use")
        assert await page.locator("main img").count() == 0
        await page.goto(f"/playground/compare?model={EVIL}")
        assert await page.locator("main img").count() == 0


async def test_the_parties_of_a_call_are_named(browser: Browser, tmp_path: Path) -> None:
    recording = tmp_path / "call.wav"
    recording.write_bytes(encode(np.stack([sample(), sample()[::-1]]), recording.name))
    says = Scripted(doubt="is unlikely", says=lambda number, _: TEXTS[number % 2])
    async with playing(browser, tmp_path, says) as (page, _):
        await page.get_by_label("Channels").select_option("split")
        assert "channels=split" in page.url
        await start(page, recording)
        await whole(page)
        await expect(page.locator(".speaker")).to_have_count(2)
        await expect(page.locator(".doubted")).to_have_count(2)
        await expect(page.locator("#doubtful")).to_have_text("Next doubtful word (2)")
        await page.locator(".speaker", has_text="Channel 2").dblclick()
        await page.get_by_label("Name of the speaker").fill("Ann")
        await page.keyboard.press("Enter")
        first = page.locator(".line", has_text="Channel 1").first
        await first.locator(".word").first.focus()
        await page.keyboard.press("Shift+F2")
        await page.keyboard.type("Ben")
        await page.keyboard.press("Enter")
        await expect(page.locator(".speaker", has_text="Ben")).to_have_count(1)
        async with page.expect_download() as waiting:
            await page.get_by_role("button", name="txt", exact=True).click()
        text = (await (await waiting.value).path()).read_text("utf-8")
        assert "Ann: " in text
        assert "Ben: " in text
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator(".speaker", has_text="Channel 1")).to_have_count(1)
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator(".speaker", has_text="Channel 2")).to_have_count(1)


async def test_ten_hours_stay_usable(browser: Browser, tmp_path: Path) -> None:
    async with playing(browser, tmp_path) as (page, _):
        found = await with_modules(
            page,
            """
            const { Transcript, segmentOf } = await load("transcript/transcript.js");
            const { TranscriptView } = await load("transcript/transcript_view.js");
            const { marks, search } = await load("transcript/transcript_search.js");
            const transcript = new Transcript();
            document.querySelector("#result").hidden = false;
            const element = document.querySelector("#words");
            const view = new TranscriptView(element, transcript, {});
            for (let line = 0; line < 10000; line += 1) {
                const timed = Array.from({ length: 10 }, (_, word) => {
                    const start = line * 3.6 + word / 3;
                    const confidence = line + word ? 0.9 : 0.2;
                    return { text: `word${line * 10 + word}`, start, end: start + 0.3, confidence };
                });
                const text = timed.map((word) => word.text).join(" ");
                view.add(transcript.add(segmentOf(text, timed)));
            }
            const places = search(transcript, "word99995");
            view.mark(marks(places));
            view.go({ segment: places[0].segment, word: places[0].words[0] });
            view.light(transcript.spokenAt(35000));
            const count = (selector) => element.querySelectorAll(selector).length;
            return {
                text: element.textContent.includes("word54321"),
                places: places.length,
                focused: document.activeElement.textContent,
                lit: element.querySelector(".lit").textContent,
                words: count(".word"),
                doubtful: count(".doubtful"),
                doubts: transcript.doubts.length,
                stops: count("[tabindex='0']"),
            };
            """,
        )
        assert found["words"] < 2000
        assert found == {
            "text": True,
            "places": 1,
            "focused": "word99995",
            "lit": "word97222",
            "words": found["words"],
            "doubtful": 1,
            "doubts": 1,
            "stops": 1,
        }


async def test_word_differences_are_the_fewest(browser: Browser, tmp_path: Path) -> None:
    async with playing(browser, tmp_path) as (page, _):
        pieces, more, less = await with_modules(
            page,
            """
            const { wordDiff } = await load("playground/word_diff.js");
            const texts = [["I am late, Ann.", "I'm late old Ann"], ["", "a b"], ["a", ""]];
            return texts.map(([base, other]) => wordDiff(base, other));
            """,
        )
        assert [(each["kind"], " ".join(each["words"])) for each in pieces] == [
            ("less", "I am"),
            ("more", "I'm"),
            ("same", "late"),
            ("more", "old"),
            ("same", "Ann"),
        ]
        assert more == [{"kind": "more", "words": ["a", "b"]}]
        assert less == [{"kind": "less", "words": ["a"]}]


async def test_the_keyboard_alone_is_enough(browser: Browser, tmp_path: Path) -> None:
    says = Scripted(says=lambda *_: "I am late. Start the meeting without me, says the city.")
    async with playing(browser, tmp_path, says) as (page, _):
        await start(page)
        await whole(page)
        await page.locator(".word").first.wait_for()
        await tab_to(page, "#search")
        await page.keyboard.type("meeting")
        await page.keyboard.press("Enter")
        await tab_to(page, ".word")
        assert await focused(page) == "meeting"
        await page.keyboard.press("ArrowRight")
        assert await focused(page) == "without"
        await page.keyboard.press("Space")
        await comes(page, "document.querySelector('#sound').currentTime > 4")
        await page.keyboard.press("F2")
        await page.keyboard.type("with")
        await page.keyboard.press("Escape")
        assert await focused(page) == "without"
        await page.keyboard.press("Enter")
        await page.keyboard.type("with")
        await page.keyboard.press("Enter")
        assert "meeting with me" in await page.locator(".line-text").inner_text()
        await page.keyboard.press("Control+z")
        assert "meeting without me" in await page.locator(".line-text").inner_text()
        await page.keyboard.press("Home")
        assert await focused(page) == "I"
        await page.keyboard.press("End")
        assert await focused(page) == "city."
        stops = await page.locator(".words [tabindex='0']").count()
        assert stops == 1


async def focused(page: Page) -> str:
    return str(await page.evaluate("document.activeElement.textContent"))


async def test_the_request_is_shown_as_curl_that_works(browser: Browser, tmp_path: Path) -> None:
    recording = tmp_path / 'it\'s; $(a) "note".flac'
    recording.write_bytes(SAMPLE.read_bytes())
    says = Scripted(vocabulary=True, honours=frozenset({"prompt"}))
    async with playing(browser, tmp_path, says) as (page, _):
        query = "&language=en&times=segment&prompt=Dear+Ann,+it's&keyterms=train,city"
        await page.goto(f"/playground{MODEL}{query}")
        await start(page, recording)
        await whole(page)
        assert await page.get_by_label("Language spoken").input_value() == "en"
        await page.get_by_text("The request as curl and code").click()
        curl = await page.locator("#code-curl").inner_text()
        compile(await page.locator("#code-python").inner_text(), "python", "exec")
        process = await asyncio.create_subprocess_shell(
            curl, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        answer, complaints = await process.communicate()
        assert b"transcription.done" in answer, (answer, complaints)
        assert says.options[0] == says.options[1]
        assert (says.options[1].prompt, says.options[1].vocabulary) == (
            "Dear Ann, it's",
            ("train", "city"),
        )
