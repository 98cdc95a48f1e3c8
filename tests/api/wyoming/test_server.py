"""Wyoming's server, by the library's own client: what it says, hears, and refuses."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import pytest_asyncio
from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event, async_write_event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong

from tests.api.serving import SCRIPTED, Gate
from tests.api.wyoming.clients import (
    Listening,
    answers,
    heard,
    listening,
    recording,
    refused,
    say,
)
from tests.cli.command import clip
from tests.failures import raises
from tests.processes import scratch_files, until
from tests.scripted import Scripted
from tests.sounds import RATE, sample
from voxgate.api.wyoming import connection
from voxgate.api.wyoming.reader import HEADER_BYTES, PART_BYTES
from voxgate.api.wyoming.server import WyomingServer
from voxgate.errors import PUBLIC_SENTENCES, Code, EngineError, VoxgateError, error_from_code
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

UTTERANCE = np.concatenate([sample()[: 3 * RATE], np.zeros(5 * RATE, np.int16)])
GIGABYTE = 10**9


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Listening]:
    async with listening(tmp_path_factory.mktemp("wyoming"), Scripted(vocabulary=True)) as running:
        yield running


def spooled(server: Listening) -> int:
    """How many unnamed files the server has open: recordings and decoded sound."""
    return len(scratch_files(server.settings.spool_dir))


async def test_it_describes_its_models(server: Listening) -> None:
    async with server.client() as client:
        await client.write_event(Describe().event())
        event = await client.read_event()
        assert event
        (program,) = Info.from_event(event).asr
        await client.write_event(Ping("a").event())
        pong = await client.read_event()
    assert program.name == "voxgate"
    assert program.supports_transcript_streaming
    (model,) = program.models
    assert (model.name, model.languages, model.installed) == (SCRIPTED, ["en", "de"], True)
    assert model.attribution.name == "scripted"
    assert pong
    assert Pong.from_event(pong).text == "a"


async def test_a_voice_command_of_home_assistant(server: Listening) -> None:
    async with server.client() as client:
        await say(client, clip(), "en")
        transcript = await heard(client)
    assert transcript.text.startswith("from 0.")
    assert transcript.language == "en"
    assert server.provider.options[-1].language == "en"


@pytest.mark.parametrize(
    ("rate", "width", "channels"),
    [
        *((8_000, 1, 1), (8_000, 4, 2), (16_000, 2, 2), (16_000, 3, 1), (22_050, 1, 2)),
        *((44_100, 2, 1), (44_100, 3, 2), (48_000, 4, 1), (48_000, 2, 8)),
    ],
)
async def test_sound_of_any_format(
    server: Listening, rate: int, width: int, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognised: list[bytes] = []

    def listen(*_: object) -> str:
        recognised.append(server.provider.windows[-1].pcm16())
        return "words"

    monkeypatch.setattr(server.provider, "says", listen)
    spoken = clip().astype(np.int64)
    places = np.arange(0, len(spoken), RATE / rate).astype(int)
    at_rate = np.repeat(spoken[places], channels)
    raw = {
        1: ((at_rate >> 8) + 128).astype(np.uint8),
        2: at_rate.astype("<i2"),
        3: (at_rate << 8).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3],
        4: (at_rate << 16).astype("<i4"),
    }[width].tobytes()
    async with server.client() as client:
        await say(client, raw, rate=rate, width=width, channels=channels)
        assert (await heard(client)).text == "words"
    sound = np.frombuffer(b"".join(recognised), np.int16)
    loudness = np.abs(sound.astype(float)).mean() / np.abs(clip().astype(float)).mean()
    assert len(sound) / RATE == pytest.approx(2.5, abs=0.6)
    assert 0.5 < loudness < 1.5


async def test_several_recordings_on_one_connection(server: Listening) -> None:
    async with server.client() as client:
        for language in ("en", "de", None):
            await say(client, clip(), language)
            assert (await heard(client)).language == (language or "en")
            stop = await client.read_event()
            assert stop
            assert TranscriptStop.is_type(stop.type)


async def test_a_recording_without_sound_has_no_words(server: Listening) -> None:
    async with server.client() as client:
        await client.write_event(AudioStart(RATE, 2, 1).event())
        await client.write_event(AudioStop().event())
        assert (await heard(client)).text == ""
        await say(client, np.zeros(RATE, np.int16))
        silent = await answers(client)
        assert [event.type for event in silent] == ["transcript-start", "transcript"]
        assert Transcript.from_event(silent[-1]).text == ""


async def test_a_recording_may_begin_with_its_first_chunk(server: Listening) -> None:
    async with server.client() as client:
        for event in list(recording(clip()))[1:]:
            await client.write_event(event)
        assert (await heard(client)).text


async def test_text_comes_while_the_rest_is_recognised(tmp_path: Path) -> None:
    gates = [Gate(), Gate()]
    texts = ("Alpha.", "日本 \ud800")
    provider = Scripted(gate=lambda n: gates[n](n), says=lambda n, _: texts[n])
    async with listening(tmp_path, provider) as server, server.client() as client:
        await say(client, np.concatenate([UTTERANCE] * 2))
        gates[0].open.set()
        start, first = await client.read_event(), await client.read_event()
        assert start
        assert first
        assert TranscriptStart.from_event(start).language == "en"
        assert TranscriptChunk.from_event(first).text == "Alpha."
        gates[1].open.set()
        second = await client.read_event()
        assert second
        chunks = "Alpha." + TranscriptChunk.from_event(second).text
        assert chunks == (await heard(client)).text == "Alpha. 日本 \ufffd"


async def test_what_is_asked_for(server: Listening) -> None:
    async with server.client() as client:
        asked = Transcribe(
            name=SCRIPTED,
            transcript_names=["Ada"],
            transcript_terms=["lamp", " "],
            context={"a": 1},
        )
        await client.write_event(asked.event())
        for event in recording(clip()):
            await client.write_event(event)
        await heard(client)
    assert server.provider.options[-1].vocabulary == ("Ada", "lamp")


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        ({"name": "scripted/none"}, "model_not_found", "No model is called 'scripted/none'"),
        ({"name": "/etc"}, "model_not_found", "No model is called '/etc'"),
        ({"language": "tlh"}, "unsupported_language", "It knows: en, de"),
        ({"language": 5}, "invalid_request", "'language' of 'transcribe' must be a text"),
        ({"language": "x" * 2**19}, "invalid_request", "of at most 256 characters"),
        ({"transcript_terms": "lamp"}, "invalid_request", "must be a list of texts"),
    ],
)
async def test_what_cannot_be_fulfilled_is_an_error_and_the_end(
    server: Listening, asked: dict[str, Any], code: str, says: str
) -> None:
    async with server.client() as client:
        await client.write_event(Event("transcribe", json.loads(json.dumps(asked))))
        for event in recording(clip()):
            await client.write_event(event)
        error = await refused(client)
    assert error.code == code
    assert says in error.text


async def test_an_engine_that_fails_is_an_error(tmp_path: Path) -> None:
    failures: dict[int, list[VoxgateError]] = {0: [EngineError("It broke.", code="engine_closed")]}
    async with listening(tmp_path, Scripted(faults=failures)) as server, server.client() as client:
        await say(client, clip())
        assert (await refused(client)).text == "It broke."


@pytest.mark.parametrize("code", ["ledger_failed", "spool_full", "registry_failed", "engine_died"])
async def test_an_error_of_the_machine_does_not_name_it(tmp_path: Path, code: Code) -> None:
    failures = {0: [error_from_code(code, "/srv/books is full.")] * 9}
    async with listening(tmp_path, Scripted(faults=failures)) as server, server.client() as client:
        await say(client, clip())
        assert (await refused(client)).text == PUBLIC_SENTENCES[code]


@pytest.mark.parametrize(
    "data",
    [
        {"rate": RATE, "width": 5, "channels": 1},
        {"rate": "16000", "width": 2, "channels": 1},
        {"rate": True, "width": 2, "channels": 1},
        {"rate": RATE, "width": 2, "channels": 0},
        {"rate": 10**400, "width": 2, "channels": 1},
        {"width": 2},
        {},
    ],
)
async def test_a_format_that_is_none(server: Listening, data: dict[str, Any]) -> None:
    async with server.client() as client:
        await client.write_event(Event("audio-start", data))
        assert (await refused(client)).code == "invalid_request"


async def test_a_format_that_changes(server: Listening) -> None:
    async with server.client() as client:
        await client.write_event(AudioStart(RATE, 2, 1).event())
        await client.write_event(AudioChunk(8000, 2, 1, bytes(100)).event())
        assert "changes its format" in (await refused(client)).text


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        random.Random(15).randbytes(500) + b"\n",
        b"[]\n",
        b"5\n",
        b"{}\n",
        b'{"type": 5}\n',
        b'{"type": "describe", "data": [1]}\n',
        b'{"type": "describe", "data_length": "x"}\n',
        b'{"type": "describe", "data_length": 3}\n[1]',
        b'{"type": "describe", "data_length": 2.5}\n[]',
        b"[" * 60_000 + b"\n",
        b"{" * (HEADER_BYTES * 3),
        b'{"type": "audio-chunk", "payload_length": %d}\n' % GIGABYTE,
        b'{"type": "audio-chunk", "data_length": %d}\n' % GIGABYTE,
        b'{"type": "audio-chunk", "payload_length": %d}\n' % (PART_BYTES + 1),
    ],
    ids=lambda sent: repr(sent[:40]),
)
async def test_what_is_no_event_ends_the_connection(server: Listening, sent: bytes) -> None:
    reader, writer = await server.raw()
    writer.write(sent)
    await writer.drain()
    head = json.loads(await reader.readline())
    said = json.loads(await reader.readexactly(head["data_length"]))
    assert head["type"] == "error"
    assert said["code"] == "invalid_request"
    assert await reader.read() == b""
    writer.close()


async def test_data_that_is_null_counts_as_none(server: Listening) -> None:
    reader, writer = await server.raw()
    writer.write(b'{"type": "unknown", "data": null}\n{"type": "describe", "data": null}\n')
    assert json.loads(await reader.readline())["type"] == "info"
    writer.close()


async def test_a_claimed_gigabyte_is_not_collected(server: Listening) -> None:
    """The client sends on as fast as it can: what it sends is read and dropped, for a moment."""
    process = psutil.Process()
    before = process.memory_info().rss
    reader, writer = await server.raw()
    writer.write(b'{"type": "audio-chunk", "payload_length": %d}\n' % GIGABYTE)
    assert b'"error"' in await reader.readline()
    with suppress(ConnectionError):
        for _ in range(200):
            writer.write(bytes(2**20))
            await writer.drain()
            assert process.memory_info().rss - before < 50 * 2**20
    writer.close()


async def test_a_lone_surrogate_is_no_obstacle(server: Listening) -> None:
    reader, writer = await server.raw()
    writer.write(b'{"type": "transcribe", "data": {"name": "\\ud800"}}\n')
    for event in recording(clip()):
        await async_write_event(event, writer)
    head = json.loads(await reader.readline())
    assert b"No model is called" in await reader.readexactly(head["data_length"])
    writer.close()


@pytest.mark.parametrize("text", [b'"\\ud800"', b"[1]"])
async def test_a_ping_with_a_text_that_is_none(server: Listening, text: bytes) -> None:
    reader, writer = await server.raw()
    writer.write(b'{"type": "ping", "data": {"text": %s}}\n{"type": "describe"}\n' % text)
    head = json.loads(await reader.readline())
    await reader.readexactly(head.get("data_length", 0))
    assert head["type"] == "pong"
    assert json.loads(await reader.readline())["type"] == "info"
    writer.close()


async def test_one_that_leaves_half_way_leaves_nothing(server: Listening) -> None:
    windows = len(server.provider.windows)
    for count in (0, 1, 5):
        async with server.client() as client:
            for event in list(recording(clip()))[: count + 1]:
                await client.write_event(event)
    _, writer = await server.raw()
    writer.write(b'{"type": "audio-chunk", "payload_length": 1000}\nabc')
    writer.close()
    await until(lambda: not spooled(server), "the end of their files")
    await until(lambda: not server.server.connections, "the end of their connections")
    assert len(server.provider.windows) == windows


async def test_one_that_leaves_before_the_transcript_frees_the_engine(tmp_path: Path) -> None:
    async with listening(tmp_path, Scripted(gate=Gate())) as server:
        async with server.client() as client:
            await say(client, clip())
            await until(lambda: server.provider.running == 1, "the work")
        await until(lambda: server.provider.running == 0, "its end")
        await until(lambda: not spooled(server), "the end of its files")


async def test_a_recording_is_limited_as_an_upload(tmp_path: Path) -> None:
    async with listening(tmp_path, max_upload_bytes=50_000, max_upload_s=1.0) as server:
        async with server.client() as client:
            await say(client, clip())
            assert (await refused(client)).code == "payload_too_large"
        async with server.client() as client:
            await say(client, clip()[:20_000])
            assert (await refused(client)).code == "audio_too_long"


async def test_as_many_recordings_as_jobs(tmp_path: Path) -> None:
    gate = Gate()
    async with (
        listening(tmp_path, Scripted(gate=gate), max_flights_per_key=1) as server,
        server.client() as first,
        server.client() as second,
    ):
        await say(first, clip())
        await until(lambda: server.provider.running == 1, "the work")
        await second.write_event(AudioStart(RATE, 2, 1).event())
        assert (await refused(second)).code == "rate_limit_exceeded"
        gate.open.set()
        assert (await heard(first)).text


async def test_a_client_that_stops_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "IDLE_S", 0.3)
    async with (
        listening(tmp_path, body_patience_s=0.2) as server,
        server.client() as idle,
        server.client() as stalled,
    ):
        await stalled.write_event(AudioStart(RATE, 2, 1).event())
        assert (await refused(stalled)).code == "request_timeout"
        assert (await refused(idle)).code == "request_timeout"


async def test_a_client_that_does_not_read_is_left(tmp_path: Path) -> None:
    provider = Scripted(says=lambda *_: "word " * 500_000)
    async with listening(tmp_path, provider, reader_patience_s=0.3) as server:
        reader, writer = await server.raw()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        for event in recording(clip()):
            await async_write_event(event, writer)
        await until(lambda: len(provider.windows) == 1, "the work")
        await until(lambda: not server.server.connections, "the end of the connection")
        writer.close()
        assert reader


async def test_a_hundred_at_once(tmp_path: Path) -> None:
    provider = Scripted(concurrency=4)
    seconds = [0.6 + number / 100 for number in range(100)]
    async with listening(tmp_path, provider) as server:

        async def one(length_s: float) -> str:
            async with server.client() as client:
                await say(client, sample()[3 * RATE : int((3 + length_s) * RATE)])
                return (await heard(client)).text

        texts = await asyncio.gather(*map(one, seconds))
        assert all(text.startswith("from 0.") for text in texts)
        assert not spooled(server)
        await until(lambda: not server.server.connections, "the end of the connections")


async def test_stopping_finishes_what_has_arrived(tmp_path: Path) -> None:
    gate = Gate()
    async with listening(tmp_path, Scripted(gate=gate)) as server:
        async with server.client() as done, server.client() as half, server.client() as idle:
            await say(done, clip())
            await until(lambda: server.provider.running == 1, "the work")
            files = spooled(server)
            await half.write_event(AudioStart(RATE, 2, 1).event())
            await until(lambda: spooled(server) > files, "its recording")
            server.server.stop()
            assert (await refused(half)).code == "shutting_down"
            assert await idle.read_event() is None
            with pytest.raises(ConnectionError):
                await server.raw()
            gate.open.set()
            assert (await heard(done)).text
        await server.task


async def test_stopping_twice_waits_for_nothing(tmp_path: Path) -> None:
    async with listening(tmp_path, Scripted(gate=Gate())) as server, server.client() as client:
        await say(client, clip())
        await until(lambda: server.provider.running == 1, "the work")
        server.server.stop()
        server.server.stop()
        assert (await refused(client)).code == "shutting_down"


@pytest.mark.parametrize(
    "uri",
    ["", "127.0.0.1:1", "unix:///a", "tcp://127.0.0.1", "tcp://[::1", "tcp://a:1/b", "tcp://a:x"],
)
async def test_an_address_that_is_none(uri: str, tmp_path: Path) -> None:
    with raises("invalid_request", match="tcp://127.0.0.1:10300"):
        WyomingServer(Settings(home=tmp_path), uri=uri)
