"""When the first words of a stream come, by the recording's length, and what streaming costs.

    VOXGATE_AUDIO=FOLDER python -m benchmarks.streaming

A real `voxgate serve` with Whisper base, and uploads as fast as the loopback takes them. The peer
of a first delta is the same server's whole answer for the first window's sound alone: decoding,
detecting and recognising what the first words need. Nothing is measured while the engine still
computes for a reader who left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from benchmarks.recordings import FFMPEG, fluent
from benchmarks.table import Row, show
from benchmarks.whisper import NAME, english_recordings, ten_minutes
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.audio.vad import SpeechRules
from voxgate.models.catalogue import WHISPER_CAPABILITIES
from voxgate.pipeline.recording import RecordingSound
from voxgate.pipeline.trace import Trace
from voxgate.providers.inspection import inspect_engines
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ADDRESS = "/api/v1/audio/transcriptions"
HOME = "home"  # of the server, in the benchmark's folder
TIMES = 5
POLL_S = 0.1
PIECE_BYTES = 1 << 16
GOAL, COST_GOAL = 1.2, 0.02


async def rows(folder: Path) -> list[Row]:
    """Measure all rows. Takes ten minutes."""
    recordings = english_recordings()
    ten = ten_minutes(recordings, folder / "ten.wav") if recordings else None
    minutes = ten or fluent(folder, "ten.wav", 600)
    sounds = {
        "10 s": await _cut(minutes, folder / "seconds.wav", 10),
        "10 min": minutes,
        "3 h": await _cut(fluent(folder, "hours.flac", 3 * 3600), folder / "hours.opus", 3 * 3600),
    }
    async with _server(folder) as client:
        await _whole_s(client, sounds["10 s"])  # start everything
        table = [await _first_row(client, length, path, folder) for length, path in sounds.items()]
        return [*table, await _cost_row(client, minutes)]


async def _first_row(client: httpx2.AsyncClient, length: str, path: Path, folder: Path) -> Row:
    """Measure the first delta of one recording, and the answer for its first window alone."""
    window_s = await _first_window_s(path)
    window = await _cut(path, folder / "window.wav", window_s)
    first, alone = list[float](), list[float]()
    for _ in range(TIMES):
        alone.append(await _whole_s(client, window))
        first.append(await _first_s(client, path))
        await _until_idle(folder)
    first_s, alone_s = statistics.median(first), statistics.median(alone)
    return Row(
        f"first words of {length}, from the upload's first byte",
        f"{first_s:.2f} s ({first_s / alone_s:.2f} x)",
        f"its first {window_s:.1f} s alone, whole: {alone_s:.2f} s",
        f"at most {GOAL} x",
    )


async def _first_window_s(path: Path) -> float:
    """Return the end of the first window into which a server divides a recording, in seconds."""
    settings = Settings.read()
    async with DecoderPool(settings) as decoders:
        with (
            Source.open(path, settings) as source,
            RecordingSound(
                source,
                decoders,
                folder=settings.spool_dir,
                rules=SpeechRules(),
                model=WHISPER_CAPABILITIES,
                tenant=None,
                trace=Trace(),
                on_sound=lambda: None,
            ) as sound,
        ):
            async with aclosing(sound.windows()) as windows:
                return (await anext(windows)).end_s


async def _until_idle(folder: Path) -> None:
    """Wait until the engine computes nothing."""
    settings = replace(Settings.read(), home=folder / HOME)
    while any(each.health and each.health.active for each in await inspect_engines(settings)):  # noqa: ASYNC110 (another process)
        await asyncio.sleep(POLL_S)


async def _cost_row(client: httpx2.AsyncClient, path: Path) -> Row:
    """Measure the time to the end of ten minutes, streamed and not, in turn."""
    streamed, whole = list[float](), list[float]()
    for _ in range(TIMES):
        whole.append(await _whole_s(client, path))
        streamed.append(await _whole_s(client, path, stream="true"))
    streamed_s, whole_s = statistics.median(streamed), statistics.median(whole)
    return Row(
        "10 min, streamed to the end",
        f"{streamed_s:.1f} s ({streamed_s / whole_s - 1:+.1%})",
        f"not streamed: {whole_s:.1f} s",
        f"at most {COST_GOAL:+.0%}",
    )


async def _first_s(client: httpx2.AsyncClient, path: Path) -> float:
    """Return the time to the first delta, and leave, which ends the work."""
    start_s = time.perf_counter()
    reader, writer = await _connect(client)
    sending = asyncio.create_task(_send(writer, path))
    try:
        while b"transcript.text.delta" not in await reader.readline():
            if reader.at_eof():
                raise RuntimeError(f"no words came of {path}")
        return time.perf_counter() - start_s
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()


async def _connect(
    client: httpx2.AsyncClient,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send the head of an upload. httpx reads nothing before it has sent everything."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    query = f"?model={NAME}&stream=true&language=en"
    writer.write(
        f"POST {ADDRESS}{query} HTTP/1.1\r\nHost: {client.base_url.host}\r\n"
        "Content-Type: audio/x-any\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )
    return reader, writer


async def _send(writer: asyncio.StreamWriter, path: Path) -> None:
    data = _read(path)
    for start in range(0, len(data), PIECE_BYTES):
        piece = data[start : start + PIECE_BYTES]
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def _whole_s(client: httpx2.AsyncClient, path: Path, **query: str) -> float:
    """Return the time to the end of the answer."""
    start_s = time.perf_counter()
    answer = await client.post(
        ADDRESS,
        params={"model": NAME, "language": "en", **query},
        content=_read(path),
        headers={"Content-Type": "audio/x-any"},
    )
    answer.raise_for_status()
    return time.perf_counter() - start_s


def _read(path: Path) -> bytes:
    return path.read_bytes()


async def _cut(path: Path, to: Path, seconds: float) -> Path:
    """Write the beginning of a recording in the format of the name."""
    arguments = ("-v", "error", "-y", "-i", str(path), "-t", str(seconds), "-ac", "1", str(to))
    process = await asyncio.create_subprocess_exec(FFMPEG, *arguments)
    if await process.wait():
        raise RuntimeError(f"FFmpeg could not write {to}")
    return to


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voxgate", "serve", "--port", "0"),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "VOXGATE_HOME": str(folder / HOME), "VOXGATE_AUTH": "off"},
    )
    assert process.stderr is not None
    line = b""
    while b"listening on " not in line:
        line = await process.stderr.readline()
        if not line:
            raise RuntimeError("voxgate serve ended at once")
    drained = asyncio.create_task(process.stderr.read())
    address = line.decode().split("listening on ")[1].split()[0].removesuffix("/api/v1")
    try:
        async with httpx2.AsyncClient(base_url=address, timeout=600) as client:
            yield client
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        await drained


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        show(asyncio.run(rows(Path(temporary))))
