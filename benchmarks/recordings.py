"""The sounds of the measurements: the sample, looped, in a few formats, and real recordings."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import imageio_ffmpeg

SAMPLE = Path(__file__).parent.parent / "samples" / "voice-note.flac"
FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()


def looped(folder: Path, name: str, seconds: float, *arguments: str) -> Path:
    """Write the sample, repeated for so many seconds, to the file `name`."""
    path = folder / name
    loop = ("-stream_loop", "-1", "-i", str(SAMPLE), "-t", str(seconds))
    subprocess.run([FFMPEG, "-v", "error", "-y", *loop, *arguments, str(path)], check=True)
    return path


def fluent(folder: Path, name: str, seconds: float) -> Path:
    """Write the sample a tenth faster with a pause after it, repeated: three fill a window.

    The sample itself has no pause in 10.4 s, so that only two fit a window, which is unlike speech.
    """
    paused = folder / "paused.flac"
    filters = ("-i", str(SAMPLE), "-af", "atempo=1.1,apad=pad_dur=0.52")
    subprocess.run([FFMPEG, "-v", "error", "-y", *filters, str(paused)], check=True)
    path = folder / name
    loop = ("-stream_loop", "-1", "-i", str(paused), "-t", str(seconds))
    subprocess.run([FFMPEG, "-v", "error", "-y", *loop, str(path)], check=True)
    return path


def real_recordings() -> list[tuple[Path, str]]:
    """Return the recordings in the folder VOXGATE_AUDIO with their words; none if it is not set."""
    return recordings_of("speech")


def recordings_of(kind: str) -> list[tuple[Path, str]]:
    """Return the recordings in a folder of VOXGATE_AUDIO with their words; none without it."""
    folder = Path(os.environ.get("VOXGATE_AUDIO", "none")) / kind
    return [
        (sound, words.read_text(encoding="utf-8"))
        for words in sorted(folder.glob("*.txt"))
        for sound in folder.glob(f"{words.stem}.*")
        if sound != words
    ]
