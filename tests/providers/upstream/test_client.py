"""Upstreams that fail in every way: the error's code, its sentence, and that nothing waits."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.failures import raises
from tests.processes import until
from tests.providers.upstream.asking import answer, ask, endpoint, model_at
from tests.websites import Web, chunked, dripping, redirect, response, silence, web
from voxgate.audio.spool import Audio
from voxgate.errors import Code, UpstreamError
from voxgate.models.capabilities import Capabilities
from voxgate.providers.upstream.client import UpstreamClient
from voxgate.providers.upstream.model import UpstreamModel
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from voxgate.upstreams import Endpoint

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/audio/transcriptions"
GOOD = {"text": "Hello."}
KEY = "sk-0123456789abcdefghijklmnop"
CAPABILITIES = Capabilities(window_s=30.0, languages=("en",), times="none")
SHORT_S = 0.1  # of sound


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Web]:
    async with web() as running:
        yield running


@pytest.fixture(scope="module")
def short() -> Iterator[Audio]:
    window = Audio.from_pcm16(bytes(round(2 * 16_000 * SHORT_S)))
    yield window
    window.spool.close()


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch, site: Web) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    monkeypatch.setenv("B_KEY", f"{KEY}-b")
    for seen in (site.heads, site.bodies, site.left):
        seen.clear()


def sends(status: int, body: object, **headers: Any) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content_type": "application/json", "connection": "close"} | headers
    return response(status, data, **headers)


def at(site: Web, **upstream: Any) -> Endpoint:
    fields: dict[str, Any] = {"keys": ("env:A_KEY",), "patience_s": 60.0} | upstream
    return endpoint(site.url("/v1", "127.0.0.1"), **fields)


HTML = b"<!doctype html><html><body>Bad gateway</body></html>"
FAULTS: dict[str, tuple[bytes, Code, str]] = {
    "a page": (
        sends(200, HTML, content_type="text/html"),
        "upstream_failed",
        r"somewhere sent an answer that cannot be used \(text/html: JSON is malformed",
    ),
    "cut short": (sends(200, b'{"text": "Hel'), "upstream_failed", "Input data was truncated"),
    "nothing": (sends(200, b""), "upstream_failed", "Input data was truncated"),
    "no object": (sends(200, b'["Hello."]'), "upstream_failed", "Expected `object`, got `array`"),
    "no text": (sends(200, {"words": []}), "upstream_failed", "missing required field `text`"),
    "deep": (sends(200, b"[" * 100_000), "upstream_failed", "cannot be used"),
    "no number": (
        sends(200, b'{"text": "a", "words": [{"start": NaN}]}'),
        "upstream_failed",
        "JSON is malformed",
    ),
    "an error inside": (
        sends(200, {"error": {"message": "The model has crashed."}}),
        "upstream_failed",
        r"somewhere answered 502 \(Bad Gateway\): The model has crashed\. Try again later",
    ),
    "a limit inside": (
        sends(200, {"error": {"code": 429, "message": "Slow down"}}),
        "upstream_rate_limited",
        r"429 \(Too Many Requests\): Slow down\.",
    ),
    "another model": (
        sends(200, GOOD | {"model": "tiny"}),
        "upstream_failed",
        "was asked for whisper-large-v3, and tiny answered",
    ),
    "compressed": (
        sends(200, gzip.compress(json.dumps(GOOD).encode()), content_encoding="gzip"),
        "upstream_failed",
        r"sent its answer compressed \(gzip\)",
    ),
    "half": (
        sends(200, b'{"text": ', content_length=1000),
        "upstream_failed",
        "somewhere broke off before its answer was complete",
    ),
    "no http": (b"SSH-2.0-OpenSSH\r\n\r\n", "upstream_failed", "somewhere broke off"),
    "closed": (b"", "upstream_failed", "somewhere broke off"),
    "a bad gateway": (
        sends(502, HTML, content_type="text/html"),
        "upstream_failed",
        r"somewhere answered 502 \(Bad Gateway\)\. Try again later",
    ),
    "an unknown status": (sends(503, {"detail": "Busy"}), "upstream_failed", r"503 .*: Busy\. Try"),
    "a gateway's patience": (sends(504, b""), "upstream_timeout", r"504 \(Gateway Timeout\)\."),
    "bad input": (
        sends(400, {"error": {"message": "Audio too short.", "param": None, "code": "short"}}),
        "upstream_refused",
        r"refused the input with 400 \(Bad Request\): Audio too short\. Correct the request",
    ),
    "Mistral's bad input": (
        sends(
            422, {"object": "error", "message": {"detail": [{"msg": "Bad language", "loc": ["a"]}]}}
        ),
        "upstream_refused",
        r"refused the input with 422 \(Unprocessable \w+\): Bad language\.",
    ),
    "a format that was not the caller's choice": (
        sends(
            400, {"error": {"message": "No verbose_json", "param": "response_format", "code": "x"}}
        ),
        "upstream_failed",
        r"somewhere answered 400 \(Bad Request\): No verbose_json\. Check the provider's",
    ),
    "Mistral's unknown model": (
        sends(400, {"object": "error", "message": "Invalid model: whisper", "code": "1500"}),
        "upstream_failed",
        "Invalid model: whisper",
    ),
    "OpenRouter's unknown model": (
        sends(
            400,
            {"error": {"code": 400, "message": "-", "availability": {"code": "model_not_found"}}},
        ),
        "upstream_failed",
        "somewhere answered 400",
    ),
    "too large": (sends(413, b""), "upstream_failed", "413 .* Lower the provider's 'max_bytes'"),
    "no credit": (
        sends(402, {"error": {"code": 402, "message": "Insufficient credits"}}),
        "upstream_denied",
        r"402 \(Payment Required\): Insufficient credits\. Check the credit",
    ),
    "OpenAI's way to say no credit": (
        sends(429, {"error": {"message": "No quota.", "code": "insufficient_quota"}}),
        "upstream_denied",
        r"402 \(Payment Required\): No quota\. Check the credit",
    ),
    "forbidden": (sends(403, {"message": "No."}), "upstream_denied", r"403 \(Forbidden\): No\."),
    "FastAPI's denial": (
        sends(401, {"detail": "Unauthorized"}),
        "upstream_denied",
        "somewhere answered 401 .*: Unauthorized",
    ),
}
OF_THE_OPERATOR = re.compile(r"voxgate\.toml|'\w+'|keys|credit|text/html|JSON|whisper")


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_has_its_code_and_its_sentence(site: Web, short: Audio, fault: str) -> None:
    site.answers[PATH], code, says = FAULTS[fault]
    with raises(code, match=says) as caught:
        await ask(at(site), short)
    assert isinstance(caught.value, UpstreamError)
    assert caught.value.retryable == (code not in {"upstream_denied", "upstream_refused"})
    public = caught.value.public_sentence
    assert not OF_THE_OPERATOR.search(public)
    quoted = caught.value.sentence.partition("): ")[2].partition(".")[0]
    assert not quoted or (quoted in public) == (code == "upstream_refused")


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", None])
async def test_an_answer_counts_whatever_it_is_called(
    site: Web, short: Audio, kind: str | None
) -> None:
    site.answers[PATH] = sends(200, GOOD, content_type=kind)
    assert [each.text for each in (await ask(at(site), short))[0]] == ["Hello."]


async def processing(writer: asyncio.StreamWriter) -> None:
    """Say for as long as the client stays that work goes on."""
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("send", [silence, processing, dripping(chunked()[:-5], 0.01)])
async def test_an_answer_that_does_not_come_is_not_waited_for(
    site: Web, short: Audio, send: Any
) -> None:
    """The time is that of the sound and the upstream's patience, for all of the answer."""
    site.answers[PATH] = send
    with raises("upstream_timeout", match=r"did not answer within 0\.3 s\. .*'patience_s'"):
        await ask(at(site, patience_s=0.2), short)
    if send is not silence:  # which does not notice it
        await until(lambda: site.left == [PATH], "the end of the connection")


async def test_an_answer_without_end_is_cut_off(site: Web, short: Audio) -> None:
    sent = 0

    async def gigabyte(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(response(200, content_length=2**30))
        block = b" " * 2**16
        while sent < 2**30:
            writer.write(block)
            await writer.drain()
            sent += len(block)

    site.answers[PATH] = gigabyte
    with raises("upstream_failed", match="sent more than 4 MB for one window"):
        await ask(at(site), short)
    await until(lambda: site.left == [PATH], "the end of the connection")
    assert sent < 2**26  # what the system's buffers hold is beyond the limit


async def test_a_failure_without_end_is_still_its_status(site: Web, short: Audio) -> None:
    site.answers[PATH] = sends(503, b"<p>" * 2**20, content_type="text/html")
    with raises("upstream_failed", match=r"somewhere answered 503"):
        await ask(at(site), short)


async def test_no_redirect_is_followed(site: Web, short: Audio) -> None:
    site.answers[PATH] = redirect(site.url("/elsewhere", "127.0.0.1"), 307)
    with raises("upstream_failed", match=r"307 .*No redirect is followed: correct its 'url'"):
        await ask(at(site), short)
    assert len(site.heads) == 1


async def test_nobody_listens(short: Audio) -> None:
    with raises("upstream_failed", match=r"somewhere refused the connection\. Check the host"):
        await ask(endpoint("http://127.0.0.1:9/v1"), short)


async def test_a_malformed_address(short: Audio) -> None:
    with raises("upstream_failed", match="has a malformed 'url'"):
        await ask(endpoint("ftp://127.0.0.1/v1"), short)


async def test_a_request_has_these_headers_and_no_other(
    site: Web, short: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No trace, no cookie of an earlier answer; the environment's proxy is not for the loopback."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    site.answers[PATH] = sends(200, GOOD, set_cookie="who=me; Path=/")
    async with model_at(at(site)) as model:
        await answer(model, short)
        await answer(model, short)
    for head in site.heads:
        first, *lines = head.strip().split("\r\n")
        headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}
        assert first == f"POST {PATH} HTTP/1.1"
        assert headers.pop("user-agent").startswith("voxgate/")
        assert headers.pop("content-type").startswith("multipart/form-data; boundary=")
        assert int(headers.pop("content-length")) > len(short.pcm16()) / 10
        assert headers == {
            "host": f"127.0.0.1:{site.port}",
            "accept": "application/json",
            "accept-encoding": "identity",
            "connection": "keep-alive",
            "authorization": f"Bearer {KEY}",
        }


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
async def test_a_key_is_in_no_log_and_no_traceback(
    site: Web, short: Audio, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    site.answers[PATH] = sends(status, GOOD if status == 200 else {"error": KEY})
    try:
        await ask(at(site), short)
    except UpstreamError:
        logging.getLogger("voxgate").exception("failed")  # with the traceback of its causes
    assert KEY in site.heads[0]
    assert KEY not in caplog.text


async def test_without_keys_none_is_sent(site: Web, short: Audio) -> None:
    site.answers[PATH] = sends(200, GOOD)
    await ask(at(site, keys=()), short)
    assert "authorization" not in site.heads[0].lower()


@pytest.mark.parametrize("status", [401, 402, 403, 429])
async def test_another_key_is_tried_at_once(site: Web, short: Audio, status: int) -> None:
    def by_key(writer: asyncio.StreamWriter) -> Any:
        good = f"Bearer {KEY}-b\r" in site.heads[-1]
        writer.write(sends(200, GOOD) if good else sends(status, b"", retry_after="20"))
        return writer.drain()

    site.answers[PATH] = by_key
    async with model_at(at(site, keys=("env:A_KEY", "env:B_KEY"))) as model:
        for _ in range(3):
            assert (await answer(model, short))[0]
        tried = len(site.heads) - 3
    assert tried == (2 if status == 403 else 1)  # what a key may not do, it may do of another model


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [("7", 7.0), ("0.5", 0.5), (formatdate(0, usegmt=True), 0.0), ("9" * 30, 3600.0), ("x", 1.0)],
)
async def test_a_limit_says_how_long_to_wait(
    site: Web, short: Audio, header: str, wait_s: float
) -> None:
    site.answers[PATH] = sends(429, {"error": {"message": "Slow down"}}, retry_after=header)
    with raises("upstream_rate_limited", match="somewhere answered 429 .*Slow down") as caught:
        await ask(at(site), short)
    assert isinstance(caught.value, UpstreamError)
    assert caught.value.retry_after_s == pytest.approx(wait_s)


async def test_a_key_that_rests_is_not_asked_with(site: Web, short: Audio) -> None:
    site.answers[PATH] = sends(429, b"", retry_after="40")
    async with model_at(at(site)) as model:
        with raises("upstream_rate_limited"):
            await answer(model, short)
        with raises("upstream_rate_limited", match=r"takes no more requests for \d\d\.\d s") as no:
            model.admit()
        assert isinstance(no.value, UpstreamError)
        assert no.value.retry_after_s == pytest.approx(40, abs=20)
        with raises("upstream_rate_limited"):
            await answer(model, short)
    assert len(site.heads) == 1


async def test_what_an_upstream_repeats_has_neither_keys_nor_secret_addresses(
    site: Web, short: Audio
) -> None:
    said = (
        f"Incorrect key {KEY}, shortened {KEY[:14]}***{KEY[-4:]}, at "
        f"https://user:word@example.org/a?token=t1#x and\x1b[31m\nmore" + " and more" * 100
    )
    site.answers[PATH] = sends(400, {"error": {"message": said}})
    with raises("upstream_refused") as caught:
        await ask(at(site), short)
    quoted = caught.value.sentence.partition(": ")[2]
    assert quoted.startswith(
        "Incorrect key [key], shortened [key]***mnop, at https://example.org/a and [31m more and"
    )
    assert len(quoted) < 400


async def test_a_caller_who_leaves_ends_the_request(site: Web, short: Audio) -> None:
    site.answers[PATH] = processing
    async with model_at(at(site)) as model:
        asked = asyncio.create_task(answer(model, short))
        await until(lambda: site.bodies != [], "the request")
        asked.cancel()
        await until(lambda: site.left == [PATH], "the end of the connection")
        with pytest.raises(asyncio.CancelledError):
            await asked


async def test_the_end_of_the_session_ends_its_requests(site: Web, short: Audio) -> None:
    site.answers[PATH] = processing
    client = UpstreamClient(Settings())
    model = UpstreamModel(at(site, concurrency=1), CAPABILITIES, client)
    asked = [asyncio.create_task(answer(model, short)) for _ in range(2)]
    await until(lambda: site.bodies != [], "the request")
    await client.aclose()
    await client.aclose()
    begun, waiting = sorted(
        map(str, await asyncio.gather(*asked, return_exceptions=True)), reverse=True
    )
    assert begun.startswith("somewhere broke off")
    assert waiting.startswith("This session is closed")
    await until(lambda: site.left == [PATH], "the end of the connection")


async def test_an_upstream_gets_so_many_requests_at_once(site: Web, short: Audio) -> None:
    """Also of several models."""
    running = most = 0
    gate = asyncio.Event()

    async def counted(writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        writer.write(sends(200, GOOD))
        await writer.drain()

    site.answers[PATH] = counted
    async with model_at(at(site, concurrency=2)) as model:
        asked = [asyncio.create_task(answer(model, short)) for _ in range(5)]
        await until(lambda: running == 2, "two requests")
        gate.set()
        await asyncio.gather(*asked)
    assert most == 2
