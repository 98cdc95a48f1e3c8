"""What the playground asks with: sources and their limits, options, the models of a key."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.api.serving import SCRIPTED, new_key
from tests.sounds import SAMPLE, encode, sample
from tests.web.browsing import looking, pages_served, sign_in
from tests.web.playing import MODEL, TEXTS, choose, playing, start, whole
from tests.websites import response, web
from voxgate.pipeline.session import Session
from voxgate.prices import ListedPrice, Price, PriceList, parse_prices
from voxgate.upstreams import Endpoint, EndpointList, Upstream

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")

WHISPER = "Systran/faster-whisper-base"


async def test_what_is_too_large_is_refused_before_a_byte_is_sent(
    browser: Browser, tmp_path: Path
) -> None:
    huge = tmp_path / "huge.wav"
    with huge.open("wb") as file:
        os.truncate(file.fileno(), 2 * 2**30)
    async with playing(browser, tmp_path, max_upload_s=5.0) as (page, _):
        posted: list[str] = []
        page.on("request", lambda sent: posted.append(sent.url) if sent.method == "POST" else None)
        await choose(page, huge)
        await expect(page.locator("#refused")).to_contain_text("has 2.15 GB")
        await expect(page.locator("#refused")).to_contain_text("1.07 GB at most (max_upload_bytes)")
        await expect(page.get_by_role("button", name="Transcribe")).to_be_disabled()
        await choose(page, SAMPLE)
        await expect(page.locator("#refused")).to_contain_text("recordings of 5 s at most")
        empty = tmp_path / "empty.wav"
        empty.touch()
        await choose(page, empty)
        await expect(page.locator("#refused")).to_contain_text("is empty")
        assert posted == []


async def test_a_file_is_dropped_and_one_that_is_no_sound_is_told(
    browser: Browser, tmp_path: Path
) -> None:
    async with playing(browser, tmp_path, refused=True) as (page, _):
        await page.evaluate(
            """() => {
                const data = new DataTransfer();
                data.items.add(new File(["no sound"], "note.txt", { type: "text/plain" }));
                const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true });
                document.querySelector("#drop").dispatchEvent(drop);
            }"""
        )
        await expect(page.locator("#chosen-name")).to_have_text("note.txt")
        await expect(page.locator("#chosen-facts")).to_contain_text("length is not known")
        server_says = page.locator("#failed")
        await page.get_by_role("button", name="Transcribe").click()
        await expect(server_says).to_contain_text("note.txt")
        await expect(page.get_by_role("button", name="Transcribe")).to_be_enabled()


async def test_options_that_a_model_has_not_say_why(browser: Browser, tmp_path: Path) -> None:
    async with playing(browser, tmp_path) as (page, _):
        await page.goto(f"/playground{MODEL}&language=fr")
        await expect(page.locator("#language-why")).to_contain_text("not know the language “fr”")
        await page.get_by_text("Names, terms and style").click()
        for label in ("Translate into English", "Words that are likely", "A text that could"):
            await expect(page.get_by_label(label)).to_be_disabled()
        await expect(page.locator("#translate-why")).to_contain_text("in its own language alone")
        languages = page.get_by_label("Language spoken").locator("option")
        await expect(languages).to_have_text(["Choose one", "English", "German"])
        await page.get_by_label("Model", exact=True).select_option(WHISPER)
        await expect(page.get_by_label("Translate into English")).to_be_enabled()
        await page.get_by_label("Translate into English").check()
        assert "translate=1" in page.url
        await page.reload()
        await expect(page.get_by_label("Translate into English")).to_be_checked()


async def test_a_management_key_is_told_the_next_step(browser: Browser, tmp_path: Path) -> None:
    async with pages_served(tmp_path) as server, looking(browser, server) as page:
        await page.goto("/playground")
        await page.wait_for_url("**/sign-in?next=/playground")
        await sign_in(page, await new_key(server, "owner", management=True))
        for path in ("/playground", "/playground/compare?model=default"):
            await page.goto(path)
            told = await page.get_by_text("management key").inner_text()
            assert "voxgate keys create" in told
            assert await page.get_by_role("button", name="Transcribe").count() == 0


async def test_a_key_is_offered_its_models_alone(browser: Browser, tmp_path: Path) -> None:
    async with pages_served(tmp_path) as server, looking(browser, server) as page:
        key = await new_key(server, "limited", allowed_models=["scripted/latest"])
        await sign_in(page, key)
        await page.goto("/playground?model=openai/whisper-base")
        assert "no model that you can use" in await page.get_by_role("alert").first.inner_text()
        options = await page.get_by_label("Model", exact=True).locator("option").all()
        assert [await each.get_attribute("value") for each in options] == [SCRIPTED]


async def test_words_without_sound_where_the_browser_cannot_play_it(
    browser: Browser, tmp_path: Path
) -> None:
    recording = tmp_path / "note.aiff"
    recording.write_bytes(encode(sample(), recording.name))
    async with playing(browser, tmp_path) as (page, _):
        await start(page, recording)
        await whole(page)
        await expect(page.locator("#sound-says")).to_contain_text("cannot play the format")
        await page.locator(".word", has_text="start").click()
        await expect(page.locator(".word.lit")).to_have_text("start")


async def test_a_recording_by_its_address(browser: Browser, tmp_path: Path) -> None:
    async with (
        web() as site,
        playing(browser, tmp_path, url_allow=("127.0.0.0/8",)) as (page, _),
    ):
        site.answers["/talks/note.flac"] = response(200, SAMPLE.read_bytes())
        address = page.get_by_label("Or its address")
        await address.fill("https:/talks")
        await address.press("Tab")
        await expect(page.locator("#refused")).to_contain_text("begins with http")
        await address.fill(site.url("/talks/note.flac"))
        await address.press("Tab")
        await expect(page.locator("#chosen-name")).to_have_text("note.flac")
        await page.get_by_role("button", name="Transcribe").click()
        await whole(page)
        await expect(page.locator(".line-text")).to_have_text(TEXTS[:1])
        await expect(page.locator("#sound-says")).to_contain_text("words are here without sound")


async def test_an_estimate_comes_before_sending(browser: Browser, tmp_path: Path) -> None:
    prices = parse_prices("scripted/one = 0.06/minute", "a test")
    async with playing(browser, tmp_path, prices=prices) as (page, _):
        estimate = page.locator("#estimate")
        await expect(estimate).to_have_text("Choose a recording first. Price: $0.06 per minute.")
        await choose(page, SAMPLE)
        cost = r"\$0\.0104\d"
        await expect(estimate).to_have_text(
            re.compile(rf"About {cost} for 10\.4 s \(\$0\.06 per minute\)\.")
        )
        await page.get_by_role("button", name="Transcribe").click()
        await whole(page)
        await expect(page.locator("#facts")).to_contain_text(re.compile(rf"Cost{cost}"))


async def test_who_serves_a_model_can_be_chosen(browser: Browser, tmp_path: Path) -> None:
    groq = Upstream("groq", "compatible", "http://127.0.0.1:9/v1")
    near = Upstream("near", "vllm", "http://127.0.0.1:9/v1")
    entries = (Endpoint(WHISPER, groq, "whisper"), Endpoint(WHISPER, near, "w"))
    endpoints = EndpointList((groq, near), entries)
    prices = PriceList(
        (
            ListedPrice(WHISPER, Price(Decimal("0.06"), "minute"), provider="groq"),
            ListedPrice(WHISPER, Price(Decimal(1), "request"), provider="near"),
        )
    )
    async with (
        pages_served(
            tmp_path, session=Session, auth="off", endpoints=endpoints, prices=prices
        ) as server,
        looking(browser, server) as page,
    ):
        await page.goto(f"/playground?model={WHISPER}")
        served_by = page.get_by_label("Served by")
        await expect(served_by.locator("option")).to_have_text(
            ["Whoever is best (3)", "this server", "groq", "near"]
        )
        estimate = page.locator("#estimate")
        await expect(estimate).to_contain_text("free or $0.06 per minute or $1.00 per request")
        await choose(page, SAMPLE)
        await expect(estimate).to_contain_text("About $0.00 to $1.00, by who serves it")
        await served_by.select_option(label="groq")
        assert "endpoint=groq" in page.url
        await expect(estimate).to_contain_text("About $0.0104")
        await page.reload()
        assert await served_by.input_value() == "groq/whisper"
