"""Recordings that a request names by their address, through a real server and a real site."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.api.serving import FILE, SCRIPTED, Running, error_of, recording, serving, spool_files
from tests.processes import until
from tests.sounds import encode, sample
from tests.websites import PUBLIC_HOST, Web, connects, redirect, response, web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIGNED = "?X-Signature=5ec7e7"
WAV, MP3 = encode(sample(), "note.wav"), encode(sample(), "note.mp3")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Web]:
    async with web() as running:
        running.answers |= {
            "/note.wav": response(200, WAV),
            "/note.mp3": response(200, MP3, content_length=None),
            "/note.pcm": response(200, sample().tobytes()),
            "/page": response(200, b"<!doctype html>", content_type="text/html"),
            "/busy": response(503),
            "/inside": redirect(running.url("/note.wav", "127.0.0.1")),
            "/metadata": redirect("http://169.254.169.254/latest/meta-data/"),
        }
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    allowed = (PUBLIC_HOST, "public")
    async with serving(tmp_path_factory.mktemp("server"), url_allow=allowed) as running:
        yield running


def by_url(url: str, **fields: Any) -> dict[str, Any]:
    """Return OpenRouter's request."""
    return {"model": SCRIPTED, "input_audio": {"url": url}, **fields}


async def post_form(
    server: Running, files: dict[str, Any] | None = None, **fields: str
) -> httpx2.Response:
    data = {"model": SCRIPTED, **fields}
    return await server.client.post("/audio/transcriptions", data=data, files=files)


@pytest.mark.parametrize("name", ["note.wav", "note.mp3"])
async def test_every_dialect_gets_the_text_of_the_upload(
    server: Running, site: Web, name: str
) -> None:
    url = site.url(f"/{name}{SIGNED}")
    uploaded = (await server.post(recording(WAV if name == "note.wav" else MP3))).json()
    parts = {"stream": (None, "false")}  # no file, and yet a form of parts
    for answer in (
        await server.post(by_url(url)),
        await server.post(by_url("", file_url=url)),
        await server.post({"model": SCRIPTED, "file_url": url, "input_audio": {"data": ""}}),
        await post_form(server, file_url=url, stream="false", diarize="false"),
        await post_form(server, files=parts, file_url=url),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.json() == uploaded
        assert "fetch;dur=" in answer.headers["server-timing"]
    await until(lambda: spool_files(server) == 0, "the end of what was fetched")


@pytest.mark.parametrize(
    ("path", "format_", "status"),
    [
        ("/note.pcm", None, 200),
        ("/note.pcm", "pcm", 200),
        ("/note.pcm", "wav", 400),
        ("/note.wav", "mp3", 200),  # the bytes are looked at
    ],
)
async def test_the_format_is_taken_from_the_path_where_it_is_missing(
    server: Running, site: Web, path: str, format_: str | None, status: int
) -> None:
    audio = {"url": site.url(path), "format": format_}
    answer = await server.post({"model": SCRIPTED, "input_audio": audio})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/gone.mp3", "fetch_failed", "127.0.0.2 answered 404 (Not Found) instead"),
        ("/busy", "fetch_failed", "127.0.0.2 answered 503 (Service Unavailable) instead"),
        ("/page", "not_audio", "is a page, not a recording"),
        ("/inside", "url_refused", "127.0.0.1 has no address that this server may fetch from"),
        ("/metadata", "url_refused", "169.254.169.254 has no address that this server may"),
    ],
)
async def test_a_failure_of_the_site_is_a_400(
    server: Running, site: Web, path: str, code: str, says: str
) -> None:
    del site.accepted[:]
    with connects() as tried:
        answer = await server.post(by_url(site.url(path + SIGNED)))
    assert answer.status_code == 400
    error = error_of(answer)
    assert error["metadata"]["code"] == code
    assert says in error["message"]
    assert "5ec7e7" not in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert site.accepted == [PUBLIC_HOST]
    assert {number for number, port in tried if port != server.server.port} == {PUBLIC_HOST}
    asked = {"id": answer.headers["x-generation-id"]}
    data = (await server.client.get("/generation", params=asked)).json()["data"]
    assert data["provider_responses"][-1]["status"] == 400


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (by_url("https://www.youtube.com/watch?v=a"), "yt-dlp -f bestaudio -o - 'https://www.you"),
        (by_url("https://me:secret@example.org/a.mp3"), "has a user name or a password"),
        (by_url("file:///etc/passwd"), "does not begin with http:// or https://"),
        (by_url("a.mp3"), "does not begin with http:// or https://"),
        (by_url("https://example.org/" + "a" * 9000), "at most 8192 characters"),
        (by_url("https://example.org/" + "a" * 70_000), "longer than 64 KiB"),
        (by_url("https://e.org/", file_url="https://e.org/"), "2 recordings: 'input_audio.url', "),
        (recording(file_url="https://e.org/"), "2 recordings: 'input_audio.data', 'file_url'"),
        ({"model": SCRIPTED, "file_url": 7}, "'file_url' should be a text"),
        ({"model": SCRIPTED, "file_id": "a"}, "keeps no files"),
        ({"model": SCRIPTED}, "or with 'url', its address"),
    ],
)
async def test_a_wrong_address_is_refused_at_once(
    server: Running, fields: dict[str, Any], says: str
) -> None:
    answer = await server.post(fields)
    assert answer.status_code == 400
    assert says in error_of(answer)["message"]
    assert "secret" not in answer.text


async def test_three_sources_are_refused(server: Running, site: Web) -> None:
    del site.accepted[:]
    body = recording(file_url=site.url("/note.wav"))
    body["input_audio"]["url"] = site.url("/note.mp3")
    assert "has 3 recordings: 'input_audio.data'" in error_of(await server.post(body))["message"]
    form = await post_form(server, files=FILE, file_url=site.url("/note.wav"))
    assert "has 2 recordings: 'file', 'file_url'" in error_of(form)["message"]
    assert site.accepted == []
    assert spool_files(server) == 0


async def test_a_client_that_posts_again_joins_the_fetch(server: Running, site: Web) -> None:
    """OpenRouter's does, after five seconds without a byte."""
    go_on = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(response(200, WAV))
        await writer.drain()

    site.answers["/slow.wav"] = slow
    del site.accepted[:]
    body = by_url(site.url("/slow.wav"))
    first = asyncio.create_task(server.post(body))
    await until(lambda: len(site.accepted) == 1, "the fetch")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(server.post(body))
    await asyncio.sleep(0)
    go_on.set()
    assert (await second).status_code == 200
    assert site.accepted == [PUBLIC_HOST]


async def test_the_log_has_the_host_and_not_the_address(
    server: Running, site: Web, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await server.post(by_url(site.url(f"/note.wav{SIGNED}")))
        await server.post(by_url(site.url(f"/gone.wav{SIGNED}")))
    found = r"200 - scripted/one \d+\.\d s of sound from 127\.0\.0\.2 in \d+\.\d s"
    assert re.search(found, caplog.text)
    assert re.search(r"400 fetch_failed scripted/one from 127\.0\.0\.2 in", caplog.text)
    assert "5ec7e7" not in caplog.text


@pytest.mark.parametrize(
    ("settings", "status", "says"),
    [
        ({}, 400, "This server fetches no recordings from addresses. Send the recording itself"),
        ({"url_allow": ("nas.lan", "10.0.0.0/8")}, 400, "127.0.0.2 has no address that this"),
        ({"url_allow": ("public",)}, 400, "127.0.0.2 has no address that this server may"),
        ({"url_allow": ("public",), "max_upload_bytes": 1000}, 400, "127.0.0.2 has no address"),
        ({"url_allow": ("127.0.0.0/8",), "max_upload_bytes": 1000}, 413, "larger than 1,000 bytes"),
        ({"url_allow": ("127.0.0.2",), "max_upload_s": 1.0}, 413, "VOXGATE_MAX_UPLOAD_S"),
    ],
)
async def test_the_operator_decides(
    tmp_path: Path, site: Web, settings: dict[str, Any], status: int, says: str
) -> None:
    del site.accepted[:]
    async with serving(tmp_path, **settings) as server:
        answer = await server.post(by_url(site.url("/note.wav")))
        assert says in error_of(answer)["message"]
        assert answer.status_code == status
    assert len(site.accepted) == (status == 413)


async def test_a_server_that_stops_ends_the_fetch(tmp_path: Path, site: Web) -> None:
    async def never(_writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    site.answers["/never.wav"] = never
    del site.accepted[:]
    async with serving(tmp_path, url_allow=(PUBLIC_HOST,), drain_s=0.1) as server:
        waiting = asyncio.create_task(server.post(by_url(site.url("/never.wav"))))
        await until(lambda: len(site.accepted) == 1, "the fetch")
        server.server.stop()
        answer = await waiting
    assert answer.status_code == 503
    assert json.loads(answer.text)["error"]["metadata"]["code"] == "shutting_down"
