"""`RemoteSession` against real bytes on a real socket: what it sends, what answers become."""

import asyncio
import hashlib
import json
import os
import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.client.wire import GOLDEN, Answer, Wire, chunked, error, failure, http, wire
from tests.failures import raises
from voxgate.audio.pcm import PcmDeclaration
from voxgate.client.remote import MAX_RETRIES, RemoteSession
from voxgate.client.transcript import parse_transcript
from voxgate.client.transport import TransportLimits
from voxgate.errors import ServerError, UnusableServerError, UsageError
from voxgate.settings import Settings
from voxgate.transcript.values import Options, Transcript

MODEL = "cmusphinx/en-us"
KEY = "sk-vg-0123456789abcdef"
JSON = json.dumps(GOLDEN).encode()
EXPECTED = parse_transcript(GOLDEN, model=MODEL)
PATIENCE = TransportLimits(connect_s=5, block_s=20, answer_s=20, silence_s=20)


async def heard(url: str, settings: Settings, note: Path, **more: Any) -> Transcript:
    """The note's transcript by the server there."""
    key, limits = more.pop("key", KEY), more.pop("limits", PATIENCE)
    async with RemoteSession(url, key, settings, limits=limits) as server:
        return await server.transcribe(note, **{"model": MODEL} | more)


async def refused(server: Wire, settings: Settings, note: Path, **more: Any) -> ServerError:
    """The failure that the note's transcription ends in."""
    with server, pytest.raises(ServerError) as caught:
        await heard(server.url, settings, note, **more)
    assert KEY not in str(caught.value)
    assert str(caught.value).count("\n") == 0
    return caught.value


async def test_the_request_holds_the_file_and_what_is_asked(settings: Settings, note: Path) -> None:
    with wire(http(200, GOLDEN)) as server:
        options = Options(language="en")
        assert await heard(server.url, settings, note, options=options) == EXPECTED
        (request,) = server.requests
        assert (request.method, request.path) == ("POST", "/api/v1/audio/transcriptions")
        assert request.recording() == note.read_bytes()
        assert int(request.headers["content-length"]) == request.size
        assert "transfer-encoding" not in request.headers
        assert request.headers["content-type"] == "application/json"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["accept-encoding"] == "identity"
        asked = request.json()
        assert asked.pop("input_audio")["format"] == "flac"
        assert asked == {
            "model": MODEL,
            "response_format": "verbose_json",
            "timestamp_granularities": ["segment", "word"],
            "language": "en",
        }


async def test_every_option_is_sent(settings: Settings, note: Path) -> None:
    wanted = {"language": "en", "temperature": 0.5, "top_p": 0.9, "seed": 7, "max_tokens": 9}
    wanted |= {"stop": ["end", "fin"], "frequency_penalty": 1.0, "presence_penalty": -1.0}
    wanted |= {"keyterms": ["Voxgate"]}
    options = Options("en", 0.5, 0.9, 7, 9, ("end", "fin"), 1.0, -1.0, ("Voxgate",))
    with wire(http(200, GOLDEN)) as server:
        await heard(server.url, settings, note, options=options)
        (request,) = server.requests
        assert wanted.items() <= request.json().items()


async def test_what_nobody_asked_for_is_not_sent(settings: Settings, note: Path) -> None:
    with wire(http(200, GOLDEN)) as server:
        await heard(f"{server.url}/v1/", settings, note, key=None)
        (request,) = server.requests
        assert request.path == "/v1/audio/transcriptions"
        assert "authorization" not in request.headers
        assert request.json().keys() == {
            *("model", "input_audio", "response_format", "timestamp_granularities")
        }


async def test_white_space_while_the_server_works(settings: Settings, note: Path) -> None:
    with wire(chunked(b" ", b"  \r\n", b" ", b" " + JSON[:9], JSON[9:] + b"\n")) as server:
        assert await heard(server.url, settings, note) == EXPECTED


async def test_bytes_and_open_files_are_recordings_too(settings: Settings, note: Path) -> None:
    with wire(*[http(200, GOLDEN)] * 2) as server, note.open("rb") as file:
        await heard(server.url, settings, note.read_bytes())  # type: ignore[arg-type]
        await heard(server.url, settings, file, name="a.raw", pcm=PcmDeclaration("s16le", 16_000))  # type: ignore[arg-type]
        first, second = server.requests
        assert first.recording() == second.recording() == note.read_bytes()
        assert first.json()["input_audio"]["format"] == "wav"
        assert second.json()["input_audio"]["format"] == "pcm"


async def test_memory_does_not_grow_with_the_recording(settings: Settings, tmp_path: Path) -> None:
    size, part = 50_000_000, os.urandom(1_000_000)
    with (tmp_path / "long.wav").open("wb") as file:
        for _ in range(size // len(part)):
            file.write(part)
    with wire(http(200, GOLDEN)) as server:
        async with RemoteSession(server.url, KEY, settings, limits=PATIENCE) as client:
            tracemalloc.start()
            try:
                await client.transcribe(tmp_path / "long.wav", model=MODEL)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak < 5_000_000
        (request,) = server.requests
        assert int(request.headers["content-length"]) == request.size
        sent, kept = (hashlib.sha256() for _ in range(2))
        sent.update(request.recording())
        kept.update((tmp_path / "long.wav").read_bytes())
        assert sent.digest() == kept.digest()


async def test_the_end_is_told_to_who_watches(settings: Settings, note: Path) -> None:
    reports: list[Any] = []
    with wire(http(200, GOLDEN)) as server:
        await heard(server.url, settings, note, on_progress=reports.append)
    (report,) = reports
    assert (report.done_s, report.total_s) == (2.5, 2.5)


async def test_a_recording_that_goes_on_is_sent_as_it_was(settings: Settings, note: Path) -> None:
    before, grown = note.read_bytes(), threading.Event()
    with wire(Answer(http(200, GOLDEN), gate=grown)) as server:
        waiting = asyncio.create_task(heard(server.url, settings, note))
        assert await asyncio.to_thread(server.arrived.wait, 20)
        with note.open("ab") as file:
            file.write(b"more")
        grown.set()
        (notice,) = (await waiting).notices
        assert server.requests[0].recording() == before
    assert notice.code == "growing_source"
    assert "note.flac grew" in notice.sentence


async def test_what_cannot_be_read_is_told_without_asking(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "empty.wav").touch()
    with wire() as server:
        with raises("unreadable_audio"):
            await heard(server.url, settings, tmp_path / "no-such.wav")
        with raises("empty_audio"):
            await heard(server.url, settings, tmp_path / "empty.wav")
        with pytest.raises(UsageError, match="s16le:16000:1"):
            await heard(server.url, settings, tmp_path, pcm=PcmDeclaration("u8", 8000))
        assert server.requests == []


# --- what a server refuses -----------------------------------------------------------------------


async def test_the_servers_own_sentence_is_the_failure(settings: Settings, note: Path) -> None:
    said = "note.flac holds no sound. Was it recorded?"
    assert str(await refused(wire(failure(400, said)), settings, note)) == said
    assert str(await refused(wire(failure(400, said)), settings, note, key=None)) == said
    late = chunked(b"  ", b" ", json.dumps(error(503, said)).encode())
    assert str(await refused(wire(late), settings, note)) == said


NO_PATH = {"error": {"message": "There is nothing at /x.", "metadata": {"code": "not_found"}}}
PAGE = b"<!doctype html><title>Welcome</title>"


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (failure(402, "Insufficient credits"), ServerError, ["Insufficient credits."]),
        (failure(500, "a\n\x1b[2J\u2028b."), ServerError, ["a [2J b."]),
        (failure(500, "x" * 5000), ServerError, ["x" * 1000]),
        (http(500, {"error": "plain"}), ServerError, ["plain."]),
        (http(500, {"error": {"code": 500}}), ServerError, ["status 500", "no reason", "log"]),
        (http(200, {"error": {"code": 7}}), ServerError, ["no reason"]),
        (http(400, {"detail": "odd"}), ServerError, ["status 400", "no reason"]),
        (http(502, PAGE, "text/html"), ServerError, ["status 502", "proxy"]),
        (http(503, PAGE, "text/html"), ServerError, ["status 503", "no reason"]),
        (http(413, PAGE, "text/html"), ServerError, ["as large", "FLAC"]),
        (failure(401, "No such key."), UnusableServerError, ["such key.", "--key", "keys create"]),
        (http(401, b""), UnusableServerError, ["valid key", "voxgate keys create"]),
        (http(200, PAGE, "text/html"), UnusableServerError, ["no Voxgate server", "text/html"]),
        (http(200, b"[]"), UnusableServerError, ["no Voxgate server", "--server"]),
        (failure(404, "No model is called 'x'."), ServerError, ["No model is called 'x'."]),
        (http(404, NO_PATH), UnusableServerError, ["nothing at /x. Check the server's URL"]),
        (http(404, PAGE, "text/html"), UnusableServerError, ["no Voxgate server", "URL"]),
        (http(404, {"detail": "Not Found"}), UnusableServerError, ["no Voxgate server"]),
        (http(405, b""), UnusableServerError, ["no Voxgate server"]),
        (http(308, b"", location="https://h/x"), UnusableServerError, ["https://h/x", "key"]),
        (http(302, b""), UnusableServerError, ["somewhere else"]),
        (http(200, {"text": 1}), ServerError, ["'text' is no text"]),
        (http(200, {}), ServerError, ["'text' is missing"]),
        (http(200, b'{"a":' * 100_000), ServerError, ["broke off"]),
        (http(200, b"SSH-2.0 \xff\xfe"), UnusableServerError, ["no Voxgate server"]),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", UnusableServerError, ["speaks no HTTP"]),
        (b"", ServerError, ["broke off", "within 10 s"]),
        (http(200, JSON)[:-1], ServerError, ["broke off", "within 10 s"]),
        (http(200, b"  \n "), ServerError, ["broke off"]),
        (chunked(b" ", b" ", whole=False), ServerError, ["broke off", "within 10 s"]),
        (chunked(b" ", JSON[:100]), ServerError, ["broke off"]),
        (chunked(b" ", JSON, whole=False), ServerError, ["broke off"]),
        (http(200, JSON, content_encoding="gzip"), ServerError, ["is damaged"]),
    ],
)  # fmt: skip
async def test_failures(
    settings: Settings, note: Path, answer: bytes, kind: type[ServerError], says: list[str]
) -> None:
    caught = await refused(wire(answer), settings, note)
    assert type(caught) is kind
    for part in says:
        assert part in str(caught)


async def test_the_key_is_not_shown_by_a_server_that_repeats_it(
    settings: Settings, note: Path
) -> None:
    caught = await refused(wire(failure(403, f"{KEY} may not do this.")), settings, note)
    assert str(caught) == "[the key] may not do this."
    await refused(wire(http(302, b"", location=f"http://h/?key={KEY}")), settings, note)
    warned = GOLDEN | {"warnings": [{"code": "c", "sentence": f"Bearer {KEY} is old."}]}
    with wire(http(200, warned)) as server:
        (notice,) = (await heard(server.url, settings, note)).notices
    assert notice.sentence == "Bearer [the key] is old."


@pytest.mark.parametrize("key", ["", "  ", "two words", "with\nbreak", "sk-\u00fc"])
def test_what_is_no_key_is_told_without_showing_it(settings: Settings, key: str) -> None:
    with pytest.raises(UsageError) as caught:
        RemoteSession("http://localhost", key, settings)
    assert not key.strip() or key not in str(caught.value)


async def test_what_copying_puts_around_a_key_is_taken_off(settings: Settings, note: Path) -> None:
    with wire(http(200, GOLDEN)) as server:
        await heard(server.url, settings, note, key=f" {KEY}\n")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


# --- a server that is busy -----------------------------------------------------------------------


async def test_a_busy_server_is_asked_again(settings: Settings, note: Path) -> None:
    busy = (failure(503, "Full.", retry_after="0"), failure(429, "Slow down.", retry_after="1"))
    told: list[str] = []
    with wire(*busy, http(200, GOLDEN)) as server:
        async with RemoteSession(
            server.url, KEY, settings, limits=PATIENCE, told=told.append
        ) as client:
            assert await client.transcribe(note, model=MODEL) == EXPECTED
        assert [request.recording() for request in server.requests] == [note.read_bytes()] * 3
    assert [line.partition(" again ")[2] for line in told] == ["in 0 s.", "in 1 s."]


async def test_a_server_that_stays_busy_is_left_alone_in_the_end(
    settings: Settings, note: Path
) -> None:
    server = wire(*[failure(503, "Full.", retry_after="0")] * (MAX_RETRIES + 3))
    assert str(await refused(server, settings, note)) == "Full."
    assert len(server.requests) == MAX_RETRIES + 1


@pytest.mark.parametrize("invitation", [{}, {"retry_after": "61"}, {"retry_after": "soon"}])
async def test_without_an_invitation_nothing_is_repeated(
    settings: Settings, note: Path, invitation: dict[str, str]
) -> None:
    server = wire(*[failure(503, "Full.", **invitation)] * 2)
    assert str(await refused(server, settings, note)) == "Full."
    assert len(server.requests) == 1


# --- a server that is not there, or falls silent -------------------------------------------------


async def test_a_server_that_falls_silent(settings: Settings, note: Path) -> None:
    answer = Answer(chunked(b" ", b" ", whole=False), stays=True)
    limits = replace(PATIENCE, silence_s=0.1)
    caught = await refused(wire(answer), settings, note, limits=limits)
    assert "fell silent for 0.1 s" in str(caught)


async def test_a_server_that_never_answers(settings: Settings, note: Path) -> None:
    limits = replace(PATIENCE, answer_s=0.1)
    caught = await refused(wire(Answer(b"", stays=True)), settings, note, limits=limits)
    assert "said nothing" in str(caught)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(b"", reads=False, stays=True), "stopped taking the recording after "),
        (Answer(b"", reads=False), "broke off in the recording after "),
    ],
)
async def test_a_server_that_does_not_take_it_all(
    settings: Settings, tmp_path: Path, answer: Answer, says: str
) -> None:
    with (tmp_path / "large.wav").open("wb") as file:
        file.truncate(50_000_000)
    limits = replace(PATIENCE, block_s=0.2)
    caught = await refused(wire(answer), settings, tmp_path / "large.wav", limits=limits)
    assert says in str(caught)
    assert "of 50,000,000 bytes" in str(caught)


async def test_an_answer_that_does_not_end(settings: Settings, note: Path) -> None:
    limits = replace(PATIENCE, answer_bytes=1000)
    endless = chunked(b'{"text": "', *[b"a" * 400] * 3)
    caught = await refused(wire(endless), settings, note, limits=limits)
    assert "answers with more than" in str(caught)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://nowhere.invalid:8000", ["'nowhere.invalid'", "--server"]),
        ("{closed}", ["refused", "Start the server"]),
        ("{tls}", ["does not speak TLS", "http://"]),
    ],
)
async def test_what_keeps_a_connection_from_coming_about(
    settings: Settings, note: Path, url: str, says: list[str]
) -> None:
    with wire() as closed:
        pass
    with wire(Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n", listens=False)) as plain:
        there = url.format(closed=closed.url, tls=plain.url.replace("http:", "https:"))
        with pytest.raises(UnusableServerError) as caught:
            await heard(there, settings, note)
    for part in says:
        assert part in str(caught.value)


async def test_who_leaves_closes_the_connection(settings: Settings, note: Path) -> None:
    with wire(Answer(chunked(b" ", whole=False), stays=True)) as server:
        waiting = asyncio.create_task(heard(server.url, settings, note))
        assert await asyncio.to_thread(server.began.wait, 20)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(server.left.wait, 20)


async def test_a_closed_server_says_so(settings: Settings, note: Path) -> None:
    async with RemoteSession("http://localhost:1", KEY, settings) as server:
        pass
    await server.aclose()
    with pytest.raises(UsageError, match="was closed"):
        await server.transcribe(note, model=MODEL)


# --- proxies and certificates of the environment --------------------------------------------------


async def test_the_environments_proxy_is_used_except_for_this_machine(
    settings: Settings, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wire(http(200, GOLDEN)) as proxy, wire(http(200, GOLDEN)) as here:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert await heard("http://voxgate.example.org", settings, note) == EXPECTED
        assert proxy.requests[0].path.startswith("http://voxgate.example.org/api/v1/")
        assert await heard(here.url, settings, note) == EXPECTED
        assert len(here.requests) == len(proxy.requests) == 1


async def test_a_proxy_that_lets_nothing_through(
    settings: Settings, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wire(http(403, b"")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(UnusableServerError, match="NO_PROXY"):
            await heard("https://voxgate.example.org", settings, note)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("http_proxy", "socks9://h:1", "cannot be used"),
        ("SSL_CERT_FILE", "/no/such/file.pem", "No such file"),
    ],
)
def test_what_the_environment_names_wrongly(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=says):
        RemoteSession("http://voxgate.example.org", KEY, settings)


# --- models --------------------------------------------------------------------------------------


async def listed(answer: bytes, settings: Settings) -> list[str]:
    with wire(answer) as server:
        async with RemoteSession(server.url, None, settings, limits=PATIENCE) as client:
            models = await client.models()
        (request,) = server.requests
        assert request.method == "GET"
        assert request.path == "/api/v1/models?output_modalities=transcription"
    return models


async def test_models_come_in_the_servers_order(settings: Settings) -> None:
    data = [{"id": "z/z", "name": "Z"}, {"id": "a/a"}]
    body = {"data": data, "total_count": 2, "links": {"next": None}}
    assert await listed(http(200, body), settings) == ["z/z", "a/a"]
    assert await listed(http(200, {"data": []}), settings) == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "'data' is missing"),
        ({"data": "x"}, "'data' is no list"),
        ({"data": [{"name": "Z"}]}, r"'data\[0\].id' is missing"),
    ],
)
async def test_an_odd_list_is_told(settings: Settings, body: object, says: str) -> None:
    with pytest.raises(ServerError, match=says):
        await listed(http(200, body), settings)
