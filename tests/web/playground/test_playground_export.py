"""Downloads of the playground: what is written, and what is refused."""

from __future__ import annotations

import asyncio
import io
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import docx
import httpx2
import pytest
import pytest_asyncio

from tests.api.serving import new_key
from tests.web.browsing import pages_served
from voxgate.web.playground.edited_transcript import MAX_BYTES
from voxgate.web.playground.playground_export import file_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
WORDS = [
    {"text": "Good", "start": 0.5, "end": 0.8, "confidence": 0.9},
    {"text": "morning.", "start": 0.8, "end": 1.4, "time_source": "aligned"},
]


def transcript(**fields: Any) -> dict[str, Any]:
    segment = {"text": "Good morning.", "start": 0.5, "end": 1.4, "words": WORDS}
    return {"name": "call.mp3", "model": "a/b", "duration": 2.0, "segments": [segment], **fields}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with pages_served(tmp_path_factory.mktemp("export")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def visitor(server: Running) -> AsyncIterator[httpx2.AsyncClient]:
    """Return a client that has signed in, and sends its page's token."""
    async with httpx2.AsyncClient(base_url=server.url, headers=SAME_SITE) as client:
        key = await new_key(server, "reader")
        assert (await client.post("/sign-in", data={"key": key})).status_code == 303
        page = await client.get("/")
        found = re.search(r'name="voxgate-csrf" content="([0-9a-f]+)"', page.text)
        assert found
        client.headers["X-Voxgate-Csrf"] = found[1]
        yield client


async def export(client: httpx2.AsyncClient, name: str, body: Any, **more: Any) -> httpx2.Response:
    return await client.post(f"/playground/export?format={name}", json=body, **more)


async def test_each_format_has_the_words(visitor: httpx2.AsyncClient) -> None:
    txt, srt, vtt, verbose, word = [
        await export(visitor, name, transcript()) for name in ("txt", "srt", "vtt", "json", "docx")
    ]
    assert txt.text == "Good morning.\n"
    assert srt.text.startswith("1\n00:00:00,500 --> 00:00:0")
    assert vtt.text.startswith("WEBVTT\n")
    body = json.loads(verbose.text)
    assert [each["word"] for each in body["words"]] == ["Good", "morning."]
    assert body["words"][0]["confidence"] == 0.9
    assert body["words"][1]["time_source"] == "aligned"
    paragraphs = docx.Document(io.BytesIO(word.content)).paragraphs
    assert [each.text for each in paragraphs] == ["call", "[0:00:00] Good morning."]
    for answer in (txt, srt, vtt, verbose, word):
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''call")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "no-store" in answer.headers["cache-control"]


async def test_names_of_speakers_are_written(visitor: httpx2.AsyncClient) -> None:
    segments = [
        {"text": "Yes.", "start": 0, "end": 1, "channel": 1},
        {"text": "No.", "start": 1, "end": 2, "channel": 2},
    ]
    body = transcript(segments=segments, channel_names=["Ann", "Ben"])
    assert (await export(visitor, "txt", body)).text == "Ann: Yes.\nBen: No.\n"
    refused = await export(visitor, "srt", transcript(channel_names=["x" * 30]))
    assert (refused.status_code, "Shorten it" in refused.text) == (400, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"segments": [{"text": "x", "start": "0", "end": 1}]}, r"$.segments[0].start"),
        ({"segments": [{"text": "x", "start": -1, "end": 1}]}, ">= 0"),
        ({"duration": 1e300}, "<= "),
        ({"surprise": 1}, "surprise"),
        ({"language": "../../x"}, "$.language"),
        ({"name": "x" * 1001}, "<= 1000"),
    ],
)
async def test_what_is_no_transcript_is_refused(
    visitor: httpx2.AsyncClient, change: dict[str, Any], said: str
) -> None:
    answer = await export(visitor, "srt", transcript(**change))
    assert answer.status_code == 400
    message = answer.json()["error"]["message"]
    assert said in message
    assert "Load the page again" in message


async def test_times_that_make_no_sense_are_fitted(visitor: httpx2.AsyncClient) -> None:
    segments = [
        {"text": "b", "start": 90, "end": 3, "words": [{"text": "b", "start": 80, "end": 1}]},
        {"text": "a --> <b>", "start": 0, "end": 0},
    ]
    for name in ("txt", "srt", "vtt", "json", "docx"):
        answer = await export(visitor, name, transcript(segments=segments))
        assert answer.status_code == 200, answer.text
        assert name != "vtt" or "<b>" not in answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"name": NaN}', b"[" * 100_000])
async def test_broken_json_is_refused(visitor: httpx2.AsyncClient, body: bytes) -> None:
    answer = await visitor.post("/playground/export?format=txt", content=body)
    assert answer.status_code == 400


async def test_a_transcript_has_a_largest_size(visitor: httpx2.AsyncClient) -> None:
    body = b'{"name": "' + b"x" * MAX_BYTES
    answer = await visitor.post("/playground/export?format=txt", content=body)
    assert answer.status_code == 413


async def test_only_this_visitor_s_page_exports(
    server: Running, visitor: httpx2.AsyncClient
) -> None:
    async with httpx2.AsyncClient(base_url=server.url, headers=SAME_SITE) as stranger:
        assert (await export(stranger, "txt", transcript())).status_code == 401
    for headers in (
        {"X-Voxgate-Csrf": "0" * 64},
        {"X-Voxgate-Csrf": ""},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert (await export(visitor, "txt", transcript(), headers=headers)).status_code == 403
    unknown = await export(visitor, "exe", transcript())
    assert (unknown.status_code, "docx" in unknown.text) == (400, True)


@pytest.mark.parametrize(
    ("recording", "name"),
    [
        ("call.mp3", "call.srt"),
        ("Besprechung Häuser.m4a", "Besprechung Häuser.srt"),
        ("../../etc/passwd", "passwd.srt"),
        (r"C:\Users\x\talk.wav", "talk.srt"),
        ("=1+1|calc.wav", "1+1_calc.srt"),
        ("--help", "help.srt"),
        (".bashrc", "bashrc.srt"),
        ("con.mp3", "transcript-con.srt"),
        ("", "transcript.srt"),
        ("...", "transcript.srt"),
        ("a\r\nSet-Cookie: x.mp3", "aSet-Cookie_ x.srt"),
        ("\u202egpj.exe.mp3", "gpj.exe.srt"),
        ("x" * 400 + ".mp3", "x" * 150 + ".srt"),
    ],
)
async def test_names_of_files_are_harmless(
    visitor: httpx2.AsyncClient, recording: str, name: str
) -> None:
    assert file_name(recording, ".srt") == name
    answer = await export(visitor, "srt", transcript(name=recording))
    disposition = answer.headers["content-disposition"]
    assert unquote(disposition.partition("UTF-8''")[2]) == name
    assert "set-cookie" not in answer.headers


async def test_many_at_once_are_each_written(visitor: httpx2.AsyncClient) -> None:
    """One after the other, so that they hold up nothing else that waits for a thread."""
    segments = [{"text": "Well. " * 50, "start": 0.0, "end": 1.0}] * 200
    bodies = [transcript(name=f"{number}.wav", segments=segments) for number in range(12)]
    answers = await asyncio.gather(*(export(visitor, "txt", body) for body in bodies))
    for number, answer in enumerate(answers):
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].endswith(f"''{number}.txt")
        assert answer.text.count("Well.") == 10_000
