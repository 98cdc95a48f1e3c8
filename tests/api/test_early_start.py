"""Streams whose text comes while their recording is still being uploaded."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import (
    FILE,
    SCRIPTED,
    Gate,
    Running,
    error_of,
    model_spec,
    serving,
    spool_files,
)
from tests.api.test_stream import FOUR, UTTERANCE, of, parse
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import encode
from voxgate.errors import UsageError
from voxgate.pipeline.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings

ADDRESS = "/api/v1/audio/transcriptions"
BOUNDARY = "----a-boundary"
WAV = encode(UTTERANCE, "x.wav")
HEAD, SOUND = WAV[: -2 * len(UTTERANCE)], WAV[-2 * len(UTTERANCE) :]
"""One utterance, a window of its own, as what a recorder writes whose length is not known."""

ENDLESS = HEAD[:4] + b"\xff" * 4 + HEAD[8:-4] + b"\xff" * 4


class Upload:
    """A request whose body is sent piece by piece, chunked, while its response is read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.status = 0
        self.headers: dict[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, server: Running, kind: str, query: str = "") -> AsyncIterator[Upload]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
        writer.write(
            f"POST {ADDRESS}{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
            f"Authorization: Bearer {server.key}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    @classmethod
    def raw(cls, server: Running, **query: str) -> Any:
        fields = {"model": SCRIPTED, "stream": "true", **query}
        query_text = "&".join(f"{name}={value}" for name, value in fields.items())
        return cls.open(server, "audio/wav", f"?{query_text}")

    @classmethod
    @asynccontextmanager
    async def form(cls, server: Running, **fields: str) -> AsyncIterator[Upload]:
        """Open a form, and send the fields and the head of the recording's part."""
        async with cls.open(server, f"multipart/form-data; boundary={BOUNDARY}") as upload:
            for name, value in {"model": SCRIPTED, "stream": "true", **fields}.items():
                await upload.field(name, value)
            await upload.send(part("file", "audio/wav") + b"\r\n")
            yield upload

    async def field(self, name: str, value: str) -> None:
        await self.send(part(name) + f"\r\n{value}\r\n".encode())

    async def close_form(self, **late: str) -> None:
        """End the recording, send more fields, and end the form and the body."""
        await self.send(b"\r\n")
        for name, value in late.items():
            await self.field(name, value)
        await self.send(f"--{BOUNDARY}--\r\n".encode())
        await self.end()

    async def send(self, data: bytes) -> None:
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self._writer.drain()

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def head(self) -> None:
        """Read the response's head."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        self.status = int(status.split()[1])
        self.headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}

    async def chunk(self) -> str:
        """Read one chunk of the response, after its head; "" at its end."""
        if not self.status:
            await self.head()
        size = int(await self._reader.readline(), 16)
        return (await self._reader.readexactly(size + 2))[:-2].decode()

    async def rest(self) -> str:
        """Read the response to its end."""
        if not self.status:
            await self.head()
        if length := self.headers.get("content-length"):
            return (await self._reader.readexactly(int(length))).decode()
        text = ""
        while more := await self.chunk():
            text += more
        return text


def part(name: str, kind: str = "") -> bytes:
    """The head of a form's part."""
    file = f'; filename="talk.wav"\r\nContent-Type: {kind}' if kind else ""
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n'.encode()


def status_of(text: str) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(text)["error"]
    return error


@pytest.mark.parametrize("kind", ["raw", "form"])
async def test_text_comes_during_the_upload(tmp_path: Path, kind: str) -> None:
    provider = Scripted(says=lambda number, _: ("One.", "Two.", "Three.")[number])
    async with serving(tmp_path, provider) as server:
        opened = Upload.raw(server) if kind == "raw" else Upload.form(server)
        async with opened as upload:
            await upload.send(ENDLESS + 2 * SOUND)
            begun = await upload.chunk()
            assert '"delta": "One."' in begun
            await upload.send(SOUND)
            await (upload.end() if kind == "raw" else upload.close_form())
            found = parse(begun + await upload.rest())
        id_ = upload.headers["x-generation-id"]
        recorded = (await server.client.get("/generation", params={"id": id_})).json()["data"]
    (done,) = of(found, "transcript.text.done")
    assert done["text"] == "One. Two. Three."
    assert "".join(event["delta"] for event in of(found, "transcript.text.delta")) == done["text"]
    assert done["usage"]["seconds"] == 24
    assert (recorded["status"], recorded["audio_seconds"]) == (200, 24)
    assert recorded["streamed"] is True


async def test_a_field_after_the_recording_counts(tmp_path: Path) -> None:
    """Nothing has been sent yet: the work is begun anew with all fields, and recorded once."""
    gate = Gate()
    provider = Scripted(gate=gate, says=lambda _, options: f"in {options.language}")
    async with serving(tmp_path, provider) as server, Upload.form(server) as upload:
        await upload.send(ENDLESS + 2 * SOUND)
        await until(lambda: provider.running == 1, "the early start")
        await upload.close_form(language="de")
        await until(lambda: len(provider.options) == 2, "another start")
        gate.open.set()
        (done,) = of(parse(await upload.rest()), "transcript.text.done")
        assert done["text"] == "in de in de"
        assert [options.language for options in provider.options[:2]] == [None, "de"]
        await until(lambda: not spool_files(server), "the end of both jobs")


async def test_a_field_that_comes_too_late_is_an_error(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, Upload.form(server) as upload:
        await upload.send(ENDLESS + 2 * SOUND)
        begun = await upload.chunk()
        assert "delta" in begun
        await upload.close_form(language="de")
        *_, event = parse(begun + await upload.rest())
        assert "send every field before 'file'" in event.data["error"]["message"]
        assert event.data["error"]["code"] == 400
        await until(lambda: not spool_files(server), "the end of the job")


@pytest.mark.parametrize("begun", [False, True], ids=["before any text", "after some"])
async def test_a_field_without_effect_changes_nothing(tmp_path: Path, begun: bool) -> None:
    gate = asyncio.Event()
    provider = Scripted(gate=lambda number: None if begun and not number else gate.wait())
    async with serving(tmp_path, provider) as server, Upload.form(server) as upload:
        await upload.send(ENDLESS + 3 * SOUND)
        text = await upload.chunk() if begun else ""
        await until(lambda: provider.running == 1, "work")
        await upload.close_form(xyzzy="1")
        gate.set()
        (done,) = of(parse(text + await upload.rest()), "transcript.text.done")
    assert "xyzzy" in str(done["warnings"])
    assert len(provider.windows) == 3


async def test_an_invalid_field_after_the_recording_is_a_response(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, Scripted(gate=gate)) as server, Upload.form(server) as upload:
        await upload.send(ENDLESS + 2 * SOUND)
        await until(lambda: server.provider.running == 1, "the early start")
        await upload.close_form(temperature="hot")
        error = status_of(await upload.rest())
        assert (upload.status, "temperature" in error["message"]) == (400, True)
        await until(lambda: server.provider.running == 0, "the end of the job")


@pytest.mark.parametrize("begun", [False, True], ids=["before any text", "after some"])
async def test_who_leaves_during_the_upload_frees_the_engine(tmp_path: Path, begun: bool) -> None:
    gate = asyncio.Event()
    provider = Scripted(gate=lambda number: None if begun and not number else gate.wait())
    async with serving(tmp_path, provider, max_decoders=2) as server:
        async with Upload.raw(server) as upload:
            await upload.send(ENDLESS + 3 * SOUND)
            if begun:
                assert "delta" in await upload.chunk()
            await until(lambda: provider.running == 1, "work")
        await until(lambda: provider.running == 0, "the end of the work")
        await until(lambda: not spool_files(server), "the end of the job")
        gate.set()
        async with Upload.raw(server) as another:  # may start early, which one at a time may
            await another.send(ENDLESS + 2 * SOUND)
            assert "delta" in await another.chunk()


@pytest.mark.parametrize("begun", [False, True], ids=["before any text", "after some"])
async def test_an_upload_that_grows_too_large(tmp_path: Path, begun: bool) -> None:
    gate = asyncio.Event()
    provider = Scripted(gate=lambda number: None if begun and not number else gate.wait())
    limit: dict[str, Any] = {"max_upload_bytes": 4 * len(SOUND)}
    async with serving(tmp_path, provider, **limit) as server, Upload.raw(server) as upload:
        await upload.send(ENDLESS + 3 * SOUND)
        text = await upload.chunk() if begun else ""
        await until(lambda: provider.running == 1, "work")
        await upload.send(2 * SOUND)
        text += await upload.rest()
        error = parse(text)[-1].data["error"] if begun else status_of(text)
        assert (upload.status, error["code"]) == (200 if begun else 413, 413)
        await until(lambda: provider.running == 0, "the end of the work")


async def test_a_recording_that_is_none_is_a_response(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, Upload.raw(server) as upload:
        await upload.send(b"only text\n" * 1000)
        await upload.end()
        error = status_of(await upload.rest())
        assert (upload.status, error["metadata"]["code"]) == (400, "not_audio")


async def test_an_upload_that_stalls_is_ended(tmp_path: Path) -> None:
    async with serving(tmp_path, body_patience_s=2.0) as server, Upload.raw(server) as upload:
        await upload.send(ENDLESS + 2 * SOUND)
        *_, event = parse(await upload.chunk() + await upload.rest())
        assert event.data["error"]["code"] == 408


async def test_slow_uploads_leave_half_of_the_decoders_to_others(tmp_path: Path) -> None:
    async with serving(tmp_path, max_decoders=2) as server, AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(Upload.raw(server)) for _ in range(3)]
        for upload in slow:
            await upload.send(ENDLESS + 2 * SOUND)
        begun = [asyncio.create_task(upload.chunk()) for upload in slow]
        await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        whole = await server.client.post(
            "/audio/transcriptions", data={"model": SCRIPTED}, files={"file": ("x.flac", FOUR)}
        )
        assert whole.status_code == 200, error_of(whole)
        assert sum(task.done() for task in begun) == 1
        for upload in slow:
            await upload.end()
        for upload, task in zip(slow, begun, strict=True):
            assert parse(await task + await upload.rest())[-1].data == "[DONE]"


async def test_a_slow_upload_whose_job_has_failed_leaves_its_decoder_to_others(
    tmp_path: Path,
) -> None:
    provider = Scripted(faults={0: [UsageError("This window is refused.")]})
    async with (
        serving(tmp_path, provider, max_decoders=2) as server,
        Upload.raw(server) as failed,
        Upload.raw(server) as other,
    ):
        await failed.send(ENDLESS + 2 * SOUND)
        await until(lambda: bool(provider.windows) and not provider.running, "the failure")
        whole = await server.client.post(
            "/audio/transcriptions", data={"model": SCRIPTED}, files=FILE
        )
        assert whole.status_code == 200, error_of(whole)  # by now the failed job has ended
        await other.send(ENDLESS + 2 * SOUND)
        begun = await other.chunk()
        for upload in (failed, other):
            await upload.end()
        assert status_of(await failed.rest())["code"] == 400
        assert parse(begun + await other.rest())[-1].data == "[DONE]"


async def test_who_names_a_kept_file_and_leaves_ends_no_other_request(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, Scripted(gate=gate), keep_files=True) as server:
        kept = await server.client.post("/files", files={"file": ("x.wav", WAV)})
        fields = {"model": SCRIPTED, "stream": "true", "file_id": kept.json()["id"]}
        stream = asyncio.create_task(server.client.post("/audio/transcriptions", data=fields))
        await until(lambda: server.provider.running == 1, "the first request's window")
        before = spool_files(server)
        async with Upload.form(server, file_id=fields["file_id"]):
            await until(lambda: spool_files(server) > before, "the second upload")
        await until(lambda: spool_files(server) == before, "its end")
        gate.open.set()
        assert parse((await stream).text)[-1].data == "[DONE]"


class Unhurried(Session):
    """A session that looks for a model as long as several requests take to arrive."""

    async def resolve(self, model: str, *, folders: bool = True) -> ModelSpec:
        await asyncio.sleep(0.1)
        return await super().resolve(model, folders=folders)


async def test_uploads_that_begin_together_wait_for_no_other(tmp_path: Path) -> None:
    provider = Scripted()
    models = {SCRIPTED: model_spec(SCRIPTED, provider)}

    def session(settings: Settings) -> Session:
        return Unhurried(settings, models=models, start=lambda *_: provider)

    async with (
        serving(tmp_path, provider, session, max_decoders=2) as server,
        AsyncExitStack() as stack,
    ):
        uploads = [await stack.enter_async_context(Upload.raw(server)) for _ in range(3)]
        for upload in uploads:
            await upload.send(ENDLESS + 2 * SOUND)
        begun = [asyncio.create_task(upload.chunk()) for upload in uploads]
        await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        (first,) = (each for each, task in zip(uploads, begun, strict=True) if task.done())
        for upload, task in zip(uploads, begun, strict=True):
            if upload is not first:
                await upload.end()
                assert parse(await task + await upload.rest())[-1].data == "[DONE]"
        await first.end()


async def test_a_server_that_stops_ends_an_upload_with_its_reason(tmp_path: Path) -> None:
    async with serving(tmp_path, drain_s=0.1) as server, Upload.raw(server) as upload:
        await upload.send(ENDLESS + 2 * SOUND)
        begun = await upload.chunk()
        server.server.stop()
        *_, event = parse(begun + await upload.rest())
        assert event.data["error"]["metadata"]["code"] == "shutting_down"
