"""`RemoteSession` with real bytes on a real socket: its requests, and results for responses."""

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
from voxgate.audio.channels import SoundChoice
from voxgate.audio.pcm import PcmDeclaration
from voxgate.client.remote import MAX_RETRIES, RemoteSession
from voxgate.client.request import UPLOAD_BLOCK_BYTES, UploadProgress
from voxgate.client.transcript import parse_transcript
from voxgate.client.transport import TransportLimits
from voxgate.errors import ServerError, UnusableServerError, UsageError
from voxgate.pipeline.job import JobProgress
from voxgate.settings import Settings
from voxgate.transcript.values import Options, Structured, Transcript

MODEL = "Systran/faster-whisper-base"
KEY = "sk-vg-0123456789abcdef"
JSON = json.dumps(GOLDEN).encode()
EXPECTED = parse_transcript(GOLDEN, model=MODEL)
PATIENCE = TransportLimits(connect_s=5, block_s=20, response_s=20, silence_s=20)


async def transcribe(url: str, settings: Settings, note: Path, **more: Any) -> Transcript:
    """Return the server's transcript of the note."""
    key, limits = more.pop("key", KEY), more.pop("limits", PATIENCE)
    async with RemoteSession(url, key, settings, limits=limits) as server:
        return await server.transcribe(note, **{"model": MODEL} | more)


async def failure_of(server: Wire, settings: Settings, note: Path, **more: Any) -> ServerError:
    """Return the error with which the transcription of the note ends."""
    with server, pytest.raises(ServerError) as caught:
        await transcribe(server.url, settings, note, **more)
    assert KEY not in str(caught.value)
    assert str(caught.value).count("\n") == 0
    return caught.value


async def test_the_request_contains_the_file_and_the_options(
    settings: Settings, note: Path
) -> None:
    with wire(http(200, GOLDEN)) as server:
        options = Options(language="en")
        assert await transcribe(server.url, settings, note, options=options) == EXPECTED
        (request,) = server.requests
        assert (request.method, request.path) == ("POST", "/api/v1/audio/transcriptions")
        assert request.recording() == note.read_bytes()
        assert int(request.headers["content-length"]) == request.size
        assert "transfer-encoding" not in request.headers
        assert request.headers["content-type"] == "application/json"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["accept-encoding"] == "identity"
        fields = request.json()
        assert fields.pop("input_audio")["format"] == "flac"
        assert fields == {
            "model": MODEL,
            "response_format": "verbose_json",
            "timestamp_granularities": ["segment", "word"],
            "language": "en",
        }


async def test_every_option_is_sent(settings: Settings, note: Path) -> None:
    expected = {"language": "en", "temperature": 0.5, "top_p": 0.9, "seed": 7, "max_tokens": 9}
    expected |= {"stop": ["end", "fin"], "frequency_penalty": 1.0, "presence_penalty": -1.0}
    expected |= {"keyterms": ["Voxgate"], "prompt": "A talk.", "beam_size": 3}
    options = Options("en", 0.5, 0.9, 7, 9, ("end", "fin"), 1.0, -1.0, ("Voxgate",))
    options = replace(options, task="translate", prompt="A talk.", beam_size=3)
    with wire(http(200, GOLDEN)) as server:
        await transcribe(server.url, settings, note, options=options)
        (request,) = server.requests
        assert request.path == "/api/v1/audio/translations"
        assert expected.items() <= request.json().items()


async def test_options_with_default_values_are_not_sent(settings: Settings, note: Path) -> None:
    with wire(http(200, GOLDEN)) as server:
        await transcribe(f"{server.url}/v1/", settings, note, key=None)
        (request,) = server.requests
        assert request.path == "/v1/audio/transcriptions"
        assert "authorization" not in request.headers
        assert request.json().keys() == {
            *("model", "input_audio", "response_format", "timestamp_granularities")
        }


async def test_white_space_while_the_server_works(settings: Settings, note: Path) -> None:
    with wire(chunked(b" ", b"  \r\n", b" ", b" " + JSON[:9], JSON[9:] + b"\n")) as server:
        assert await transcribe(server.url, settings, note) == EXPECTED


async def test_bytes_and_open_files_are_recordings_too(settings: Settings, note: Path) -> None:
    with wire(*[http(200, GOLDEN)] * 2) as server, note.open("rb") as file:
        await transcribe(server.url, settings, note.read_bytes())  # type: ignore[arg-type]
        pcm = PcmDeclaration("s16le", 16_000)
        await transcribe(server.url, settings, file, name="a.raw", pcm=pcm)  # type: ignore[arg-type]
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
        sent, original = (hashlib.sha256() for _ in range(2))
        sent.update(request.recording())
        original.update((tmp_path / "long.wav").read_bytes())
        assert sent.digest() == original.digest()


async def test_progress_is_of_what_is_sent_and_of_the_end(settings: Settings, note: Path) -> None:
    reports: list[Any] = []
    size = UPLOAD_BLOCK_BYTES + 1
    note.write_bytes(bytes(size))
    busy = failure(429, "Busy.", retry_after="0")
    with wire(busy, http(200, GOLDEN)) as server:
        await transcribe(server.url, settings, note, on_progress=reports.append)
    attempt = [
        UploadProgress(0, size),
        UploadProgress(UPLOAD_BLOCK_BYTES, size),
        UploadProgress(size, size, "sent"),
    ]
    assert reports == [*attempt, *attempt, JobProgress(2.5, 2.5)]


async def test_the_names_of_channels_are_those_of_the_caller(
    settings: Settings, note: Path
) -> None:
    choice = SoundChoice(channels="split", channel_names=("Caller", "Agent"))
    with wire(http(200, GOLDEN)) as server:
        transcript = await transcribe(server.url, settings, note, choice=choice)
        assert "channel_names" not in server.requests[0].json()
    assert transcript.channel_names == ("Caller", "Agent")


async def test_a_recording_that_grows_is_sent_as_it_was(settings: Settings, note: Path) -> None:
    before, grown = note.read_bytes(), threading.Event()
    with wire(Answer(http(200, GOLDEN), gate=grown)) as server:
        waiting = asyncio.create_task(transcribe(server.url, settings, note))
        assert await asyncio.to_thread(server.received.wait, 20)
        with note.open("ab") as file:
            file.write(b"more")
        grown.set()
        (notice,) = (await waiting).notices
        assert server.requests[0].recording() == before
    assert notice.code == "growing_source"
    assert "note.flac grew" in notice.sentence


async def test_an_unreadable_recording_is_reported_without_a_request(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "empty.wav").touch()
    with wire() as server:
        with raises("unreadable_audio"):
            await transcribe(server.url, settings, tmp_path / "no-such.wav")
        with raises("empty_audio"):
            await transcribe(server.url, settings, tmp_path / "empty.wav")
        with pytest.raises(UsageError, match="s16le:16000:1"):
            await transcribe(server.url, settings, tmp_path, pcm=PcmDeclaration("u8", 8000))
        assert server.requests == []


# --- errors of the server ------------------------------------------------------------------------


async def test_the_servers_own_sentence_is_the_error(settings: Settings, note: Path) -> None:
    sentence = "note.flac holds no sound. Was it recorded?"
    assert str(await failure_of(wire(failure(400, sentence)), settings, note)) == sentence
    assert str(await failure_of(wire(failure(400, sentence)), settings, note, key=None)) == sentence
    late = chunked(b"  ", b" ", json.dumps(error(503, sentence)).encode())
    assert str(await failure_of(wire(late), settings, note)) == sentence


NO_PATH = {"error": {"message": "There is nothing at /x.", "metadata": {"code": "not_found"}}}
PAGE = b"<!doctype html><title>Welcome</title>"


@pytest.mark.parametrize(
    ("response", "kind", "parts"),
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
        (http(200, PAGE, "text/html"), UnusableServerError, ["not a Voxgate server", "text/html"]),
        (http(200, b"[]"), UnusableServerError, ["not a Voxgate server", "--server"]),
        (failure(404, "No model is called 'x'."), ServerError, ["No model is called 'x'."]),
        (http(404, NO_PATH), UnusableServerError, ["nothing at /x. Check the server's URL"]),
        (http(404, PAGE, "text/html"), UnusableServerError, ["not a Voxgate server", "URL"]),
        (http(404, {"detail": "Not Found"}), UnusableServerError, ["not a Voxgate server"]),
        (http(405, b""), UnusableServerError, ["not a Voxgate server"]),
        (http(308, b"", location="https://h/x"), UnusableServerError, ["https://h/x", "key"]),
        (http(302, b""), UnusableServerError, ["another server"]),
        (http(200, {"text": 1}), ServerError, ["'text' is not a string"]),
        (http(200, {}), ServerError, ["'text' is missing"]),
        (http(200, b'{"a":' * 100_000), ServerError, ["ended before"]),
        (http(200, b"SSH-2.0 \xff\xfe"), UnusableServerError, ["not a Voxgate server"]),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", UnusableServerError, ["does not speak HTTP"]),
        (b"", ServerError, ["ended before", "within 10 s"]),
        (http(200, JSON)[:-1], ServerError, ["ended before", "within 10 s"]),
        (http(200, b"  \n "), ServerError, ["ended before"]),
        (chunked(b" ", b" ", whole=False), ServerError, ["ended before", "within 10 s"]),
        (chunked(b" ", JSON[:100]), ServerError, ["ended before"]),
        (chunked(b" ", JSON, whole=False), ServerError, ["ended before"]),
        (http(200, JSON, content_encoding="gzip"), ServerError, ["is damaged"]),
    ],
)  # fmt: skip
async def test_failures(
    settings: Settings, note: Path, response: bytes, kind: type[ServerError], parts: list[str]
) -> None:
    caught = await failure_of(wire(response), settings, note)
    assert type(caught) is kind
    for part in parts:
        assert part in str(caught)


async def test_the_key_is_redacted_in_sentences_of_the_server(
    settings: Settings, note: Path
) -> None:
    caught = await failure_of(wire(failure(403, f"{KEY} may not do this.")), settings, note)
    assert str(caught) == "[the key] may not do this."
    await failure_of(wire(http(302, b"", location=f"http://h/?key={KEY}")), settings, note)
    warned = GOLDEN | {"warnings": [{"code": "c", "sentence": f"Bearer {KEY} is old."}]}
    with wire(http(200, warned)) as server:
        (notice,) = (await transcribe(server.url, settings, note)).notices
    assert notice.sentence == "Bearer [the key] is old."


@pytest.mark.parametrize("key", ["", "  ", "two words", "with\nbreak", "sk-\u00fc"])
def test_an_invalid_key_is_reported_without_repeating_it(settings: Settings, key: str) -> None:
    with pytest.raises(UsageError) as caught:
        RemoteSession("http://localhost", key, settings)
    assert not key.strip() or key not in str(caught.value)


async def test_space_around_a_key_is_removed(settings: Settings, note: Path) -> None:
    with wire(http(200, GOLDEN)) as server:
        await transcribe(server.url, settings, note, key=f" {KEY}\n")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


# --- a busy server -------------------------------------------------------------------------------


async def test_a_request_to_a_busy_server_is_repeated(settings: Settings, note: Path) -> None:
    busy = (failure(503, "Full.", retry_after="0"), failure(429, "Slow down.", retry_after="1"))
    sentences: list[str] = []
    with wire(*busy, http(200, GOLDEN)) as server:
        async with RemoteSession(
            server.url, KEY, settings, limits=PATIENCE, on_wait=sentences.append
        ) as client:
            assert await client.transcribe(note, model=MODEL) == EXPECTED
        assert [request.recording() for request in server.requests] == [note.read_bytes()] * 3
    assert [line.rpartition(" is ")[2] for line in sentences] == ["in 0 s.", "in 1 s."]


async def test_the_number_of_repetitions_is_limited(settings: Settings, note: Path) -> None:
    server = wire(*[failure(503, "Full.", retry_after="0")] * (MAX_RETRIES + 3))
    assert str(await failure_of(server, settings, note)) == "Full."
    assert len(server.requests) == MAX_RETRIES + 1


@pytest.mark.parametrize("headers", [{}, {"retry_after": "61"}, {"retry_after": "soon"}])
async def test_without_a_short_retry_after_nothing_is_repeated(
    settings: Settings, note: Path, headers: dict[str, str]
) -> None:
    server = wire(*[failure(503, "Full.", **headers)] * 2)
    assert str(await failure_of(server, settings, note)) == "Full."
    assert len(server.requests) == 1


# --- a server that cannot be reached or stops responding -----------------------------------------


async def test_a_server_that_stops_in_the_middle_of_its_response(
    settings: Settings, note: Path
) -> None:
    response = Answer(chunked(b" ", b" ", whole=False), keeps_open=True)
    limits = replace(PATIENCE, silence_s=0.1)
    caught = await failure_of(wire(response), settings, note, limits=limits)
    assert "sent nothing for 0.1 s" in str(caught)


async def test_a_server_that_never_responds(settings: Settings, note: Path) -> None:
    limits = replace(PATIENCE, response_s=0.1)
    caught = await failure_of(wire(Answer(b"", keeps_open=True)), settings, note, limits=limits)
    assert "sent no response" in str(caught)


@pytest.mark.parametrize(
    ("response", "part"),
    [
        (Answer(b"", reads_body=False, keeps_open=True), "stopped receiving the recording after "),
        (Answer(b"", reads_body=False), "closed the connection during the recording after "),
    ],
)
async def test_a_server_that_does_not_receive_the_whole_recording(
    settings: Settings, tmp_path: Path, response: Answer, part: str
) -> None:
    with (tmp_path / "large.wav").open("wb") as file:
        file.truncate(50_000_000)
    limits = replace(PATIENCE, block_s=0.2)
    caught = await failure_of(wire(response), settings, tmp_path / "large.wav", limits=limits)
    assert part in str(caught)
    assert "of 50,000,000 bytes" in str(caught)


async def test_a_response_that_is_too_long(settings: Settings, note: Path) -> None:
    limits = replace(PATIENCE, response_bytes=1000)
    endless = chunked(b'{"text": "', *[b"a" * 400] * 3)
    caught = await failure_of(wire(endless), settings, note, limits=limits)
    assert "responds with more than" in str(caught)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://nowhere.invalid:8000", ["'nowhere.invalid'", "--server"]),
        ("{closed}", ["refused", "Start the server"]),
        ("{tls}", ["TLS handshake", "http://"]),
    ],
)
async def test_connection_errors(
    settings: Settings, note: Path, url: str, parts: list[str]
) -> None:
    with wire() as closed:
        pass
    with wire(Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n", waits_for_head=False)) as plain:
        server_url = url.format(closed=closed.url, tls=plain.url.replace("http:", "https:"))
        with pytest.raises(UnusableServerError) as caught:
            await transcribe(server_url, settings, note)
    for part in parts:
        assert part in str(caught.value)


async def test_cancelling_closes_the_connection(settings: Settings, note: Path) -> None:
    with wire(Answer(chunked(b" ", whole=False), keeps_open=True)) as server:
        waiting = asyncio.create_task(transcribe(server.url, settings, note))
        assert await asyncio.to_thread(server.responded.wait, 20)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(server.disconnected.wait, 20)


async def test_a_closed_session_raises(settings: Settings, note: Path) -> None:
    async with RemoteSession("http://localhost:1", KEY, settings) as server:
        pass
    await server.aclose()
    with pytest.raises(UsageError, match="was closed"):
        await server.transcribe(note, model=MODEL)


# --- proxies and certificates of the environment --------------------------------------------------


async def test_the_environments_proxy_is_used_except_for_this_machine(
    settings: Settings, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wire(http(200, GOLDEN)) as proxy, wire(http(200, GOLDEN)) as local:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert await transcribe("http://voxgate.example.org", settings, note) == EXPECTED
        assert proxy.requests[0].path.startswith("http://voxgate.example.org/api/v1/")
        assert await transcribe(local.url, settings, note) == EXPECTED
        assert len(local.requests) == len(proxy.requests) == 1


async def test_a_proxy_that_refuses_the_connection(
    settings: Settings, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wire(http(403, b"")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(UnusableServerError, match="NO_PROXY"):
            await transcribe("https://voxgate.example.org", settings, note)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("http_proxy", "socks9://h:1", "cannot be used"),
        ("SSL_CERT_FILE", "/no/such/file.pem", "No such file"),
    ],
)
def test_invalid_proxies_and_certificates(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=message):
        RemoteSession("http://voxgate.example.org", KEY, settings)


# --- models --------------------------------------------------------------------------------------


async def listed(response: bytes, settings: Settings) -> list[str]:
    with wire(response) as server:
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
    ("body", "message"),
    [
        ({}, "'data' is missing"),
        ({"data": "x"}, "'data' is not a list"),
        ({"data": [{"name": "Z"}]}, r"'data\[0\].id' is missing"),
    ],
)
async def test_an_invalid_list_is_reported(settings: Settings, body: object, message: str) -> None:
    with pytest.raises(ServerError, match=message):
        await listed(http(200, body), settings)


async def test_data_is_asked_for_by_a_schema_beside_the_times_of_the_text(
    settings: Settings, note: Path
) -> None:
    data = {"digits": [1, 2], "name": "Ä"}
    with wire(http(200, {**GOLDEN, "structured": data})) as server:
        transcript = await transcribe(server.url, settings, note, schema='{"type": "object"}')
        asked = server.requests[0].json()
    assert asked["structured_outputs"] == {"json": {"type": "object"}}
    assert asked["response_format"] == "verbose_json"
    assert transcript.structured is not None
    assert json.loads(transcript.structured.json or "") == data
    assert replace(transcript, structured=None) == EXPECTED


@pytest.mark.parametrize("more", [{}, {"structured_finish_reason": "length"}])
async def test_data_that_was_cut_off_is_none(
    settings: Settings, note: Path, more: dict[str, Any]
) -> None:
    with wire(http(200, {**GOLDEN, "structured": None, **more})) as server:
        transcript = await transcribe(server.url, settings, note, schema="{}")
    assert transcript.structured == Structured(None, "length")


async def test_null_may_be_data(settings: Settings, note: Path) -> None:
    whole = {"structured": None, "structured_finish_reason": "stop"}
    with wire(http(200, {**GOLDEN, **whole})) as server:
        transcript = await transcribe(server.url, settings, note, schema="{}")
    assert transcript.structured == Structured("null")
