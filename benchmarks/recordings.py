"""What is measured on: the sample, looped, in a few formats; and real recordings, if there are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import imageio_ffmpeg

SAMPLE = Path(__file__).parent.parent / "samples" / "voice-note.flac"
FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()


def looped(folder: Path, name: str, seconds: float, *arguments: str) -> Path:
    """The sample over and over, for so long, as the file `name`."""
    path = folder / name
    loop = ("-stream_loop", "-1", "-i", str(SAMPLE), "-t", str(seconds))
    subprocess.run([FFMPEG, "-v", "error", "-y", *loop, *arguments, str(path)], check=True)
    return path


def fluent(folder: Path, name: str, seconds: float) -> Path:
    """The sample a tenth faster with a breath behind it, over and over: three fill a window.

    As it is it has no pause in 10.4 s, so that only two fit, which no speaker's talk is like.
    """
    breath = folder / "breath.flac"
    pace = ("-i", str(SAMPLE), "-af", "atempo=1.1,apad=pad_dur=0.52")
    subprocess.run([FFMPEG, "-v", "error", "-y", *pace, str(breath)], check=True)
    path = folder / name
    loop = ("-stream_loop", "-1", "-i", str(breath), "-t", str(seconds))
    subprocess.run([FFMPEG, "-v", "error", "-y", *loop, str(path)], check=True)
    return path


def real() -> list[tuple[Path, str]]:
    """Recordings of the folder VOXGATE_AUDIO with their words; none where it is not named."""
    folder = Path(os.environ.get("VOXGATE_AUDIO", "none")) / "speech"
    return [
        (sound, words.read_text(encoding="utf-8"))
        for words in sorted(folder.glob("*.txt"))
        for sound in folder.glob(f"{words.stem}.*")
        if sound != words
    ]
