"""Transcripts as server-sent events: both dialects, failures, readers who leave or stop."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest

from tests.api.serving import (
    PATH,
    SCRIPTED,
    Gate,
    Running,
    error_of,
    recording,
    serving,
    spool_files,
)
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from voxgate import errors
from voxgate.api import stream
from voxgate.api.dialects.negotiate import ParsedRequest
from voxgate.api.jobs import LINGER_S, Jobs
from voxgate.api.response_head import ResponseHead
from voxgate.api.transcript_job import TranscriptJob
from voxgate.api.transcript_stream import TranscriptStream
from voxgate.pipeline.job import FinalPiece
from voxgate.pipeline.trace import StageTimes, Trace
from voxgate.settings import Settings
from voxgate.transcript.values import Segment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MISTRAL = {"Accept": "text/event-stream"}
TEXTS = ("One, two.", '日本語 \u2028 "x"', "", "d\\e")
UTTERANCE = np.concatenate([sample()[: 3 * RATE], np.zeros(5 * RATE, np.int16)])
STALLED = errors.EngineError("It stalled.", code="engine_stalled")


def windows(count: int) -> bytes:
    """A recording of so many utterances, each a window of its own."""
    return encode(np.concatenate([UTTERANCE] * count), "x.flac")


FOUR = windows(4)
TWO = windows(2)
SPOKEN = sample()[3 * RATE : 9 * RATE // 2]
SHORT_TWO = encode(np.concatenate([SPOKEN, np.zeros(4 * RATE, np.int16), SPOKEN]), "x.flac")
"""Two windows as well, of less sound: for many requests."""


@dataclass
class Event:
    """One server-sent event: its name, if it has one, and its data."""

    name: str | None
    data: Any


def parse(text: str) -> list[Event]:
    """The events of a stream. Comments are left out."""
    assert text.endswith("\n\n")
    found = list[Event]()
    for block in text.removesuffix("\n\n").split("\n\n"):
        lines = [line.split(": ", 1) for line in block.split("\n") if not line.startswith(":")]
        if not lines:
            continue
        assert [name for name, _ in lines] in (["data"], ["event", "data"]), block
        fields = {name: value for name, value in lines}  # noqa: C416
        data = fields["data"]
        found.append(Event(fields.get("event"), data if data == "[DONE]" else json.loads(data)))
    return found


def of(found: list[Event], type_: str) -> list[dict[str, Any]]:
    return [
        event.data for event in found if event.data != "[DONE]" and event.data.get("type") == type_
    ]


async def post(server: Running, data: bytes, headers: dict[str, str], **fields: Any) -> list[Event]:
    response = await server.post(recording(data, stream=True, **fields), headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["x-generation-id"] == response.headers["x-request-id"]
    return parse(response.text)


def texts(**more: Any) -> Scripted:
    return Scripted(says=lambda number, _: TEXTS[number % len(TEXTS)], **more)


async def test_openais_events_join_to_the_text(tmp_path: Path) -> None:
    async with serving(tmp_path, texts(concurrency=3)) as server:
        found = await post(server, FOUR, {}, xyzzy=1)
        plain = (await server.post(recording(FOUR, xyzzy=1))).json()
    assert found[-1].data == "[DONE]"
    assert {event.name for event in found} == {None}
    (done,) = of(found, "transcript.text.done")
    deltas = [event["delta"] for event in of(found, "transcript.text.delta")]
    assert len(deltas) == 3
    assert "".join(deltas) == done["text"] == plain["text"] == " ".join(filter(None, TEXTS))
    assert {name: value for name, value in done.items() if name != "type"} == plain
    assert done["usage"]["type"] == "duration"


@pytest.mark.parametrize(
    ("granularities", "timed"),
    [
        ([], []),
        (["segment"], ["One, two.", "d\\e"]),
        (["word"], ["One,", "two.", "d\\e"]),
    ],
    ids=["no times", "segments", "words"],
)
async def test_mistrals_events_join_to_the_text(
    tmp_path: Path, granularities: list[str], timed: list[str]
) -> None:
    provider = Scripted(says=lambda number, _: ("One, two.", "", "d\\e", "")[number])
    async with serving(tmp_path, provider) as server:
        found = await post(server, FOUR, MISTRAL, timestamp_granularities=granularities)
    assert [event.name for event in found] == [event.data["type"] for event in found]
    assert found[0].data == {"type": "transcription.language", "audio_language": "en"}
    (done,) = of(found, "transcription.done")
    assert found[-1].data == done
    assert "".join(event["text"] for event in of(found, "transcription.text.delta")) == done["text"]
    assert done["text"] == "One, two. d\\e"
    assert (done["model"], done["language"]) == (SCRIPTED, "en")
    segments = of(found, "transcription.segment")
    assert [segment["text"] for segment in segments] == timed
    assert all(0 <= segment["start"] <= segment["end"] for segment in segments)
    again = [{**segment, "type": "transcription.segment"} for segment in done["segments"]]
    assert again == segments
    types = [event.name for event in found]
    assert not timed or types[1:3] == ["transcription.text.delta", "transcription.segment"]


@pytest.mark.parametrize("granularity", ["segment", "word"])
async def test_mistrals_events_say_how_sure_a_text_is(tmp_path: Path, granularity: str) -> None:
    provider = Scripted(confidence=0.25, doubt="is unlikely")
    async with serving(tmp_path, provider) as server:
        found = await post(server, FOUR, MISTRAL, timestamp_granularities=[granularity])
    (done,) = of(found, "transcription.done")
    segments = of(found, "transcription.segment")
    source = "recognised" if granularity == "segment" else "interpolated"
    for segment in (*segments, *done["segments"]):
        assert (segment["doubtful"], segment["doubt"]) == (True, "is unlikely")
        assert segment["time_source"] == source
    if granularity == "segment":
        assert {segment["confidence"] for segment in segments} == {0.25}


async def test_a_form_is_streamed_and_silence_is_an_empty_text(tmp_path: Path) -> None:
    silence = {"file": ("a.wav", encode(np.zeros(RATE, np.int16), "a.wav"))}
    form = {"model": SCRIPTED, "stream": "true"}
    async with serving(tmp_path) as server:
        path = "/audio/transcriptions"
        openai = await server.client.post(path, data=form, files=silence)
        mistral = await server.client.post(path, data=form, files=silence, headers=MISTRAL)
    (done, end) = parse(openai.text)
    assert (done.data["text"], end.data) == ("", "[DONE]")
    (done,) = parse(mistral.text)
    assert (done.data["text"], done.data["language"], done.data["segments"]) == ("", None, [])


async def test_a_translation_is_streamed_in_english(tmp_path: Path) -> None:
    provider = Scripted(translates=True, language=lambda _: ("de", 0.9))
    async with serving(tmp_path, provider) as server:
        body = recording(stream=True)
        found = parse(
            (await server.client.post("/audio/translations", json=body, headers=MISTRAL)).text
        )
    assert found[0].data["audio_language"] == found[-1].data["language"] == "en"


@pytest.mark.parametrize(
    ("headers", "fields", "said"),
    [
        ({}, {"response_format": "srt"}, "'srt' cannot be streamed"),
        ({}, {"response_format": "vtt"}, "'vtt' cannot be streamed"),
        ({}, {"response_format": "verbose_json"}, "OpenAI's events have no times"),
        ({}, {"timestamp_granularities": ["word"]}, "Accept: text/event-stream"),
        (MISTRAL, {"response_format": "srt"}, "its events have text and segments"),
    ],
)
async def test_what_no_event_has_cannot_be_streamed(
    tmp_path: Path, headers: dict[str, str], fields: dict[str, Any], said: str
) -> None:
    async with serving(tmp_path) as server:
        response = await server.post(recording(stream=True, **fields), headers=headers)
        assert response.status_code == 400
        assert said in error_of(response)["message"]
        assert server.provider.windows == []


async def lines(response: httpx2.Response) -> AsyncIterator[str]:
    async for line in response.aiter_lines():
        if line:
            yield line


async def collect(response: httpx2.Response, read: list[str]) -> None:
    """Add the lines of a stream, those before it breaks as well."""
    async for line in lines(response):
        read.append(line)  # noqa: PERF401 (what was read stays)


def streamed(
    server: Running, data: bytes = FOUR, headers: dict[str, str] | None = None, **more: Any
) -> Any:
    body = recording(data, stream=True, **more)
    return server.client.stream("POST", "/audio/transcriptions", json=body, headers=headers)


async def test_text_comes_while_the_rest_is_recognised(tmp_path: Path) -> None:
    gate = asyncio.Event()
    provider = texts(gate=lambda number: gate.wait() if number else None)
    async with serving(tmp_path, provider) as server, streamed(server) as response:
        read = lines(response)
        assert TEXTS[0] in await anext(read)
        assert not gate.is_set()
        gate.set()
        assert [line async for line in read][-1] == "data: [DONE]"


async def test_an_error_before_the_first_event_is_a_response(tmp_path: Path) -> None:
    async with serving(tmp_path, texts(faults={0: [STALLED] * 3})) as server:
        response = await server.post(recording(FOUR, stream=True))
        assert response.status_code == 503
        assert error_of(response)["message"] == STALLED.sentence
        assert response.headers["retry-after"]
        response = await server.post(recording(b"only text", stream=True), headers=MISTRAL)
        assert (response.status_code, error_of(response)["metadata"]["code"]) == (400, "not_audio")


async def test_a_later_error_is_openais_event(tmp_path: Path) -> None:
    async with serving(tmp_path, texts(faults={1: [STALLED] * 3})) as server:
        response = await server.post(recording(FOUR, stream=True))
        id_ = response.headers["x-generation-id"]
        ended = (await server.client.get("/generation", params={"id": id_})).json()["data"]
    assert (response.status_code, ended["status"]) == (200, 503)
    found = parse(response.text)
    assert [event.data.get("type") for event in found] == ["transcript.text.delta", None]
    error = found[-1].data["error"]
    assert (error["code"], error["message"], error["type"]) == (503, "It stalled.", "server_error")
    assert error["metadata"]["code"] == "engine_stalled"


async def test_a_later_error_is_an_event_and_a_broken_stream_for_mistral(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read = list[str]()
    async with serving(tmp_path, texts(faults={1: [STALLED] * 3})) as server:
        async with streamed(server, headers=MISTRAL) as response:
            with pytest.raises(httpx2.RemoteProtocolError):
                await collect(response, read)
        assert (await server.post(recording())).status_code == 200
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]
    assert read[-2] == "event: error"
    assert json.loads(read[-1].removeprefix("data: "))["error"]["message"] == "It stalled."


async def test_a_window_whose_engine_dies_is_in_the_stream_all_the_same(tmp_path: Path) -> None:
    died = errors.EngineError("It ended.", code="engine_died")
    async with serving(tmp_path, texts(faults={1: [died] * 2})) as server:
        found = await post(server, FOUR, {})
        assert of(found, "transcript.text.done")[0]["text"] == " ".join(filter(None, TEXTS))
        assert len(server.provider.windows) == 7  # two more attempts, and a second look


async def test_a_comment_ends_a_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    gate = Gate()
    async with serving(tmp_path, Scripted(gate=gate)) as server, streamed(server) as response:
        read = lines(response)
        assert [await anext(read), await anext(read)] == [": keep-alive"] * 2
        gate.open.set()
        rest = [line async for line in read]
    assert rest[-1] == "data: [DONE]"
    assert "from 0." in next(line for line in rest if line.startswith("data"))


async def test_a_failure_after_a_comment_is_an_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    gate = Gate()
    provider = Scripted(gate=gate, faults={0: [STALLED] * 3})
    async with serving(tmp_path, provider) as server, streamed(server) as response:
        read = lines(response)
        assert await anext(read) == ": keep-alive"
        gate.open.set()
        rest = [line async for line in read]
    assert "It stalled." in rest[-1]


async def test_a_reader_who_leaves_frees_the_engine(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, Scripted(gate=gate)) as server:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(server.post(recording(FOUR, stream=True)))
            await until(lambda: server.provider.running == 1, "the provider's work")
            reading.cancel()
            left = time.monotonic()
        await until(lambda: server.provider.running == 0, "the end of the work")
        assert time.monotonic() - left < LINGER_S  # what a job without a stream goes on for
        await until(lambda: not spool_files(server), "the end of the job")


async def test_who_lost_patience_finds_the_job_though_a_reader_of_its_stream_left(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()
    provider = texts(gate=lambda number: gate.wait() if number else None)
    async with serving(tmp_path, provider) as server:
        impatient = asyncio.create_task(server.post(recording(TWO)))
        await until(lambda: len(provider.windows) == 2, "the second window")
        impatient.cancel()
        async with streamed(server, TWO) as response:
            assert TEXTS[0] in await anext(lines(response))
        again = asyncio.create_task(server.post(recording(TWO)))
        async with streamed(server, TWO) as response:
            assert TEXTS[0] in await anext(lines(response))
            gate.set()
            assert (await again).json()["text"] == " ".join(TEXTS[:2])
    assert len(provider.windows) == 2


async def test_equal_requests_read_one_job_each_from_its_beginning(tmp_path: Path) -> None:
    gate = asyncio.Event()
    provider = texts(gate=lambda number: gate.wait() if number == 3 else None)
    async with serving(tmp_path, provider) as server, streamed(server) as first:
        read = lines(first)
        assert TEXTS[0] in await anext(read)
        other = asyncio.create_task(post(server, FOUR, MISTRAL))
        plain = asyncio.create_task(server.post(recording(FOUR)))
        async with streamed(server) as third:
            assert TEXTS[0] in await anext(lines(third))
        gate.set()
        assert [line async for line in read][-1] == "data: [DONE]"
        found = await other
        text = (await plain).json()["text"]
    assert "".join(event["text"] for event in of(found, "transcription.text.delta")) == text
    assert len(provider.windows) == 5  # one has no words, and is looked at again


async def test_a_reader_who_stops_reading_is_ended(tmp_path: Path) -> None:
    gate = asyncio.Event()
    provider = Scripted(
        says=lambda *_: "x" * 12_000_000,  # more than the kernel keeps for a caller
        gate=lambda number: gate.wait() if number else None,
    )
    async with serving(tmp_path, provider, reader_patience_s=0.3) as server:
        body = json.dumps(recording(TWO, stream=True)).encode()
        with socket.socket() as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            caller.connect(("127.0.0.1", server.server.port))
            await asyncio.to_thread(
                caller.sendall,
                f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body,
            )
            await until(lambda: len(provider.windows) == 2, "the second window")
            await until(lambda: provider.running == 0, "the end of the work")


async def test_little_is_held_for_a_reader_who_stops_reading() -> None:
    job, sent = TranscriptJob("id", None, Trace()), list[int]()
    words = "日本語" * 300_000
    job.give(FinalPiece((Segment(words, 0, 1), *[Segment("a b", 1, 2)] * 100_000), "ja"))
    parsed = ParsedRequest(model=SCRIPTED, format="json", words=False, events="openai")
    head = ResponseHead(job, Scripted(), StageTimes(), time.monotonic())
    blocked = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(len(message.get("body", b"")))
        if len(sent) == 3:
            blocked.set()
            await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    answer = TranscriptStream(jobs=Jobs(Settings()), key="key", job=job, parsed=parsed, head=head)
    scope = {"type": "http", "state": {"log_entry": None}}
    answering = asyncio.create_task(answer(scope, receive, send))
    await blocked.wait()
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)
    assert max(sent) < 2**16
    assert len(sent) == 3


STREAMS, LEAVERS = 200, 50


async def test_two_hundred_streams_at_once(tmp_path: Path) -> None:
    gate = asyncio.Event()
    provider = Scripted(
        concurrency=STREAMS,
        honours=frozenset({"prompt"}),
        says=lambda number, options: f"{options.prompt} says {number}",
        gate=lambda number: gate.wait() if number else None,
    )
    started, leave = list[int](), asyncio.Event()

    async def read(server: Running, number: int) -> str:
        body = recording(SHORT_TWO, stream=True, prompt=f"prompt {number}")
        text = ""
        async with server.client.stream("POST", "/audio/transcriptions", json=body) as response:
            assert response.status_code == 200, await response.aread()
            async for part in response.aiter_text():
                if not text:
                    started.append(number)
                text += part
                if number < LEAVERS:
                    await leave.wait()
                    return ""
        return text

    limits: dict[str, Any] = {"max_flights": 1000, "max_flights_per_key": 500}
    async with serving(tmp_path, provider, **limits) as server:
        server.client = httpx2.AsyncClient(
            base_url=server.client.base_url,
            headers=server.client.headers,
            timeout=300,
            limits=httpx2.Limits(max_connections=None),
        )
        async with server.client:
            reading = [asyncio.create_task(read(server, number)) for number in range(STREAMS)]
            await until(lambda: len(started) == STREAMS, "the first text of all")
            await until(lambda: provider.running == STREAMS, "the second windows")
            leave.set()
            await until(lambda: provider.running == STREAMS - LEAVERS, "the end of those who left")
            gate.set()
            streams = await asyncio.gather(*reading)
        await until(lambda: not spool_files(server), "the end of all jobs")
    for number, text in enumerate(streams[LEAVERS:], LEAVERS):
        found = parse(text)
        deltas = [event["delta"] for event in of(found, "transcript.text.delta")]
        assert deltas == [f"prompt {number} says 0", f" prompt {number} says 1"]
        assert of(found, "transcript.text.done")[0]["text"] == "".join(deltas)
