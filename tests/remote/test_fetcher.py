"""What servers send, and what they do instead: real sockets on the loopback."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import socket
import tracemalloc
from contextlib import ExitStack
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.failures import raises
from tests.processes import open_files, scratch_files, until
from tests.remote.fetching import LIMIT, POLICY, fetcher
from tests.websites import PUBLIC_HOST, Web, chunked, dripping, redirect, response, silence, web
from voxgate.remote import checked_network
from voxgate.remote.address_policy import AddressPolicy
from voxgate.remote.recording_url import RecordingUrl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.websites import Send
    from voxgate.errors import Code
    from voxgate.remote.address_policy import IPAddress

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATA = b"RIFF" + bytes(range(256)) * 800
SIGNED = "?X-Signature=5ec7e7"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Web]:
    async with web() as running:
        yield running


async def fetched(site: Web, folder: Path, path: str = "/talk.mp3") -> tuple[bytes, str]:
    """Return the bytes and the name of what is fetched."""
    steps = list[tuple[int, int | None]]()
    url = RecordingUrl.parse(site.url(path, "public.example"))
    with await fetcher(folder).fetch(url, lambda *step: steps.append(step)) as recording:
        recording.file.seek(0)
        data = recording.file.read()
        assert recording.size == len(data) == steps[-1][0]
        assert recording.sha256 == hashlib.sha256(data).hexdigest()
    assert recording.file.closed
    return data, recording.name


@pytest.mark.parametrize(
    "answer",
    [
        response(200, DATA),
        response(200, DATA, content_length=None),
        b"HTTP/1.0 200 OK\r\n\r\n" + DATA,
        chunked(DATA[:1], DATA[1:]),
        response(203, DATA),
        response(200, DATA, content_encoding="identity"),
        response(200, DATA, content_type="text/html; charset=UTF-8"),  # a script that forgot its
        b"HTTP/1.1 100 Continue\r\n\r\n" + response(200, DATA),
    ],
)
async def test_a_recording_comes_whole(site: Web, tmp_path: Path, answer: bytes) -> None:
    site.answers["/talk.mp3"] = answer
    assert await fetched(site, tmp_path, f"/talk.mp3{SIGNED}") == (DATA, "talk.mp3")
    head = site.heads[-1].lower()
    assert f"get /talk.mp3{SIGNED.lower()} http/1.1\r\n" in head
    assert "accept-encoding: identity\r\n" in head
    assert "range" not in head
    assert "authorization" not in head


@pytest.mark.parametrize(
    ("path", "disposition", "name"),
    [
        ("/talk.mp3", None, "talk.mp3"),
        ("/a%20b/Gr%C3%BC%C3%9Fe.ogg", None, "Grüße.ogg"),
        ("/x%2F..%2F..%2Fpasswd", None, "passwd"),
        ("/%2e%2e", None, "public.example"),
        ("/", None, "public.example"),
        ("/.hidden.wav", None, "hidden.wav"),
        ("/%00%1b%5B31m%E2%80%AE.mp3", None, "[31m.mp3"),
        ("/download", "attachment", "download"),
        ("/download", 'attachment; filename="call 7.m4a"', "call 7.m4a"),
        ("/download", "attachment; filename=call.m4a", "call.m4a"),
        ("/download", 'attachment; filename="/etc/cron.d/x.wav"', "x.wav"),
        ("/download", 'attachment; filename="..\\\\..\\\\x.wav"', "x.wav"),
        ("/download", 'attachment; filename=".."', "download"),
        (
            "/download",
            "attachment; filename=\"E.mp3\"; filename*=UTF-8''%e2%82%ac%2F%2e.mp3",
            "mp3",
        ),
        ("/download", "attachment; filename*=UTF-8''%e2%82%ac.mp3", "€.mp3"),
        ("/" + "x" * 300 + ".wav", None, "x" * 196 + ".wav"),
        ("/download", f'attachment; filename="{"y" * 300}.flac"', "y" * 195 + ".flac"),
    ],
)
async def test_the_name_is_a_files_and_no_path(
    site: Web, tmp_path: Path, path: str, disposition: str | None, name: str
) -> None:
    site.answers[path] = response(200, DATA, content_disposition=disposition)
    assert await fetched(site, tmp_path, path) == (DATA, name)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_three_redirects_are_followed_and_no_fourth(
    site: Web, tmp_path: Path, status: int
) -> None:
    site.answers |= {
        "/0": redirect("/1", status),
        "/1": redirect(f"//public.example:{site.port}/2", status),
        "/2": redirect(f"http://PUBLIC.example.:{site.port}/3?a=b#c", status),
        "/3": redirect("episode-12.mp3"),
        "/episode-12.mp3": response(200, DATA),
    }
    assert await fetched(site, tmp_path, "/1") == (DATA, "episode-12.mp3")
    assert "Host: public.example:" in site.heads[-1]
    with raises("fetch_failed", match="public.example leads on more than 3 times"):
        await fetched(site, tmp_path, "/0")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (response(404, b"<html>"), r"answered 404 \(Not Found\) instead .* Check the address"),
        (response(403), r"answered 403 .* if it is signed, still valid"),
        (response(401), "whether the address is public"),
        (response(500), "answered 500 .* Try again later"),
        (response(503), "answered 503 .* Try again later"),
        (response(429), "answered 429 .* Try again later"),
        (response(204, content_length=None), "answered 204"),
        (response(206, DATA, content_range="bytes 0-9/99"), "answered 206"),
        (response(304, content_length=None), "answered 304"),
        (response(302), r"answered 302 .* Give the address of the file itself"),
        (b"HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n", "answered 599 instead"),
        (response(200, gzip.compress(bytes(10**6)), content_encoding="gzip"), r"compressed \(gzip"),
        (response(200, DATA, content_encoding="br, gzip"), r"compressed \(br, gzip\)"),
        (
            response(200, DATA, content_length=None, transfer_encoding="gzip, chunked"),
            "does not answer as a web server does",
        ),
        (response(200, DATA, content_length=len(DATA) + 1), "broke off after 204,804 bytes"),
        (response(200, DATA, content_length="-1"), "does not answer as a web server"),
        (response(200, DATA, content_length="1, 2"), "does not answer as a web server"),
        (chunked(DATA)[:-5], "broke off after 204,804 bytes"),
        (b"", "does not answer as a web server does"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not answer as a web server does"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "does not answer as a web server does"),
    ],
)
async def test_a_failure_names_the_host_and_the_next_step(
    site: Web, tmp_path: Path, answer: bytes, says: str
) -> None:
    site.answers["/talk.mp3"] = answer
    with raises("fetch_failed", match=says) as caught:
        await fetched(site, tmp_path, f"/talk.mp3{SIGNED}")
    assert caught.value.status == 400
    assert caught.value.sentence.startswith("public.example ")
    assert "5ec7e7" not in caught.value.sentence


async def test_a_stated_length_ends_the_recording(site: Web, tmp_path: Path) -> None:
    site.answers["/talk.mp3"] = response(200, DATA + b"more", content_length=len(DATA))
    assert (await fetched(site, tmp_path))[0] == DATA


@pytest.mark.parametrize(
    "answer",
    [
        response(200, b"\n<!DOCTYPE html><title>A talk</title>", content_type="audio/mpeg"),
        response(200, b"\xef\xbb\xbf<HTML lang=en>"),
        chunked(b"<", b"!-- a page -->", content_type="text/html; charset=utf-8"),
        response(200, b"<?xml version='1.0'?>", content_type="application/xhtml+xml"),
    ],
)
async def test_a_page_is_no_recording(site: Web, tmp_path: Path, answer: bytes) -> None:
    site.answers["/talk"] = answer
    with raises("not_audio", match="public.example has there is a page, not a recording"):
        await fetched(site, tmp_path, "/talk")


@pytest.mark.parametrize("stated", [True, False])
async def test_a_recording_beyond_the_limit_is_not_read_on(
    site: Web, tmp_path: Path, stated: bool
) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        length = 10**9 if stated else None
        writer.write(response(200, content_length=length))
        while True:
            writer.write(bytes(65_536))
            sent += 65_536
            await writer.drain()

    del site.left[:]
    site.answers["/endless"] = endless
    with raises("payload_too_large", match="VOXGATE_MAX_UPLOAD_BYTES"):
        await fetched(site, tmp_path, "/endless")
    await until(lambda: "/endless" in site.left, "the end of the connection")
    assert sent < LIMIT + 50_000_000  # and what the kernel's buffers hold


async def test_a_large_recording_is_never_in_memory(site: Web, tmp_path: Path) -> None:
    block, blocks = bytes(65_536), 800

    async def large(writer: asyncio.StreamWriter) -> None:
        writer.write(response(200, content_length=len(block) * blocks))
        for _ in range(blocks):
            writer.write(block)
            await writer.drain()

    site.answers["/large.wav"] = large
    fetching = fetcher(tmp_path, limit=10**9).fetch(RecordingUrl.parse(site.url("/large.wav")))
    tracemalloc.start()
    try:
        with await fetching as recording:
            _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert recording.size == len(block) * blocks
    assert peak < 4_000_000


async def slow_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Wait: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def stalled(writer: asyncio.StreamWriter) -> None:
    writer.write(response(200, DATA, content_length=len(DATA) + 1))
    await silence(writer)


CHUNKED = response(200, content_length=None, transfer_encoding="chunked")


@pytest.mark.parametrize(
    ("send", "limits", "says"),
    [
        (silence, {"url_first_byte_s": 0.2}, "sent|stopped sending after 0 bytes"),
        (slow_head, {"url_first_byte_s": 0.2}, r"0 bytes .*VOXGATE_URL_FIRST_BYTE_S"),
        (stalled, {"url_first_byte_s": 0.2}, "stopped sending after 204,804 bytes"),
        (dripping(CHUNKED, 0.02), {"url_deadline_s": 0.4}, "VOXGATE_URL_DEADLINE_S"),
        (dripping(CHUNKED, 0.02), {"url_first_byte_s": 0.2, "url_deadline_s": 0.4}, "DEADLINE_S"),
    ],
)
async def test_a_server_that_takes_its_time(
    site: Web, tmp_path: Path, send: Send, limits: dict[str, Any], says: str
) -> None:
    site.answers["/talk.mp3"] = send
    before = open_files()
    with raises("fetch_failed", match=says):
        await fetcher(tmp_path, **limits).fetch(RecordingUrl.parse(site.url("/talk.mp3")))
    assert open_files() <= before + 1  # the server's end of the connection


async def test_a_caller_who_leaves_ends_the_connection(site: Web, tmp_path: Path) -> None:
    site.answers["/slow"] = dripping(CHUNKED, 0.01)
    got = asyncio.Event()
    url = RecordingUrl.parse(site.url("/slow"))
    task = asyncio.create_task(fetcher(tmp_path).fetch(url, lambda *_: got.set()))
    await got.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: "/slow" in site.left, "the end of the connection")
    assert not scratch_files(tmp_path / "spool")


async def test_nobody_listens(tmp_path: Path) -> None:
    async with web() as gone:
        url = RecordingUrl.parse(gone.url("/a.wav", "public.example"))
    with raises("fetch_failed", match=r"public\.example refused the connection\. Check"):
        await fetcher(tmp_path).fetch(url)


async def test_a_network_that_leads_nowhere(tmp_path: Path) -> None:
    async def broadcast(_host: str, _port: int) -> list[IPAddress]:
        return [ip_address("255.255.255.255")]  # TCP refuses it at once

    anything = fetcher(tmp_path, AddressPolicy(everything=True), broadcast)
    with raises("fetch_failed", match=r"lan\.example cannot be reached\. Check the address"):
        await anything.fetch(RecordingUrl.parse("http://lan.example/a.wav"))


async def test_a_host_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked_network, "ATTEMPT_S", 0.2)
    with socket.create_server((PUBLIC_HOST, 0), backlog=0) as deaf, ExitStack() as waiting:
        for _ in range(4):  # as many as its queue takes, and more: the kernel drops the next
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(deaf.getsockname())
        url = RecordingUrl.parse(f"http://public.example:{deaf.getsockname()[1]}/")
        with raises("fetch_failed", match=r"public\.example did not answer\. Check the address"):
            await fetcher(tmp_path).fetch(url)


@pytest.mark.parametrize(
    ("policy", "code", "says"),
    [
        (POLICY, "url_refused", "gone.example has no address that this server may fetch from"),
        (AddressPolicy(everything=True), "fetch_failed", "The name 'gone.example' has no address"),
    ],
)
async def test_a_name_that_nobody_knows(
    tmp_path: Path, policy: AddressPolicy, code: Code, says: str
) -> None:
    async def unknown(_host: str, _port: int) -> list[IPAddress]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with raises(code, match=says):
        await fetcher(tmp_path, policy, unknown).fetch(RecordingUrl.parse("http://gone.example/"))


async def test_the_next_of_a_hosts_numbers_is_tried(site: Web, tmp_path: Path) -> None:
    async def two(_host: str, _port: int) -> list[IPAddress]:
        return [ip_address("127.0.0.9"), ip_address("127.0.0.1")]  # nobody listens at the first

    site.answers["/talk.mp3"] = response(200, DATA)
    anything = fetcher(tmp_path, AddressPolicy(everything=True), two)
    with await anything.fetch(RecordingUrl.parse(site.url("/talk.mp3", "two.example"))) as found:
        assert found.size == len(DATA)


async def test_proxies_of_the_environment_are_not_used(
    site: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with web() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url("", "127.0.0.1"))
        site.answers["/talk.mp3"] = response(200, DATA)
        assert (await fetched(site, tmp_path))[0] == DATA
        assert proxy.accepted == []


async def test_nothing_is_fetched_by_default(site: Web, tmp_path: Path) -> None:
    del site.accepted[:]
    nothing = fetcher(tmp_path, AddressPolicy())
    with raises("url_refused", match="have its operator set VOXGATE_URL_ALLOW"):
        await nothing.fetch(RecordingUrl.parse(site.url("/talk.mp3")))
    assert site.accepted == []


async def test_offline_allows_the_loopback_alone(site: Web, tmp_path: Path) -> None:
    site.answers["/talk.mp3"] = response(200, DATA)
    site.answers["/away"] = redirect("http://public.example/talk.mp3")
    anything = fetcher(tmp_path, AddressPolicy(everything=True), offline=True)
    with raises("offline", match="This would fetch a recording from public.example, but"):
        await anything.fetch(RecordingUrl.parse("http://public.example/a.wav"))
    with raises("offline"):
        await anything.fetch(RecordingUrl.parse(site.url("/away")))
    with await anything.fetch(RecordingUrl.parse(site.url("/talk.mp3"))) as found:
        assert found.size == len(DATA)
