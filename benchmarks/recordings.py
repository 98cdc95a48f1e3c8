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


def real() -> list[tuple[Path, str]]:
    """Recordings of the folder VOXGATE_AUDIO with their words; none where it is not named."""
    folder = Path(os.environ.get("VOXGATE_AUDIO", "none")) / "speech"
    return [
        (sound, words.read_text(encoding="utf-8"))
        for words in sorted(folder.glob("*.txt"))
        for sound in folder.glob(f"{words.stem}.*")
        if sound != words
    ]
