"""Recordings for the tests: the sample in any container and codec, whole or damaged.

The encoder is a complete FFmpeg, from the wheel of imageio-ffmpeg, as users' files come from other
programs. The product decodes with the FFmpeg in PyAV.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, TypeAlias

import imageio_ffmpeg
import numpy as np
import pytest

RATE = 16_000
SAMPLE = Path(__file__).parent.parent / "samples" / "voice-note.flac"
WORDS = SAMPLE.with_suffix(".txt").read_text(encoding="utf-8")
FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()

Pcm: TypeAlias = np.ndarray[Any, np.dtype[np.int16]]


def ffmpeg(*arguments: str, data: bytes = b"") -> bytes:
    """Run FFmpeg with `data` as its standard input, and return the content of its output file.

    The last argument is the output's name. It is a real file: most containers need to seek.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, arguments[-1])
        command = [FFMPEG, "-v", "error", "-y", *arguments[:-1], str(out)]
        subprocess.run(command, input=data, check=True)
        return out.read_bytes()


def sample() -> Pcm:
    """Return the voice note as [samples] at 16 kHz."""
    return np.frombuffer(ffmpeg("-i", str(SAMPLE), "-f", "s16le", "out.raw"), np.int16)


def encode(samples: Pcm, name: str, *arguments: str) -> bytes:
    """Encode int16 [samples] or [channels, samples] at 16 kHz as the file `name`."""
    channels = samples.reshape(1, -1) if samples.ndim == 1 else samples
    raw = np.ascontiguousarray(channels.T).astype("<i2").tobytes()
    shape = ("-f", "s16le", "-ar", str(RATE), "-ac", str(len(channels)))
    return ffmpeg(*shape, "-i", "-", *arguments, name, data=raw)


def with_picture(samples: Pcm, name: str, delay_s: float, *arguments: str) -> bytes:
    """Return a film whose picture starts at 0 and whose sound starts `delay_s` later."""
    raw = samples.astype("<i2").tobytes()
    return ffmpeg(
        *("-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=12"),
        *("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-"),
        *("-map", "0:v", "-map", "1:a", "-c:v", "mpeg4", *arguments),
        *("-bsf:a", f"setts=ts=PTS+{delay_s}/TB", name),
        data=raw,
    )


def picture_only(name: str = "silent.mp4") -> bytes:
    """Return a film without a sound track."""
    return ffmpeg(
        "-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=1", "-c:v", "mpeg4", name
    )


def real_speech() -> Path:
    """Return the folder of real recordings and their transcripts. Skip the test without one."""
    folder = Path(os.environ.get("VOXGATE_AUDIO", "")) / "speech"
    if not os.environ.get("VOXGATE_AUDIO") or not folder.is_dir():
        pytest.skip("VOXGATE_AUDIO names no folder of recordings")
    return folder


def lag(sound: Pcm, reference: Pcm) -> float:
    """Return how many seconds `sound` is later than `reference`, by their cross-correlation."""
    size = 1 << (len(sound) + len(reference)).bit_length()
    spectrum = np.fft.rfft(sound.astype(float), size) * np.conj(
        np.fft.rfft(reference.astype(float), size)
    )
    peak = int(np.fft.irfft(spectrum, size).argmax())
    return (peak if peak < size // 2 else peak - size) / RATE
