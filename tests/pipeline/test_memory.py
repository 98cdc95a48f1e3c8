"""Memory grows neither with a recording nor from recording to recording."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.scripted import Scripted
from tests.sounds import FFMPEG, RATE, SAMPLE, encode, sample
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.pipeline.budget import accept_options
from voxgate.pipeline.job import TranscriptionJob
from voxgate.pipeline.route import Route
from voxgate.settings import Settings
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from pathlib import Path

WARM, RECORDINGS = 10, 50
TEN_MINUTES_S = 600
LIMIT_BYTES = 400 << 20
GROWTH = 0.1
"""Of the samples that are more than those of ten minutes. A hundredth was seen in an hour."""


async def test_fifty_recordings_in_a_row_leave_memory_flat() -> None:
    """Half of the sound that the forty recordings after the warm-up hold would be seen."""
    data, settings, process = encode(sample(), "x.flac"), Settings(), psutil.Process()
    sizes = list[int]()
    async with DecoderPool(settings) as decoders:
        for _ in range(RECORDINGS):
            provider = Scripted()
            with Source.open(data, settings, name="a.flac") as source:
                transcript = await TranscriptionJob(
                    source=source,
                    options=accept_options(provider.name, provider.capabilities, Options()),
                    route=Route.to(provider),
                    decoders=decoders,
                    settings=settings,
                ).transcript()
            assert transcript.text
            sizes.append(process.memory_info().rss)
    held = (RECORDINGS - WARM) * len(sample()) * 2
    print(f"{len(sample()) / RATE:.0f} s each; grew by {sizes[-1] - sizes[WARM]} of {held} bytes")
    assert sizes[-1] - sizes[WARM] < held / 2


@pytest.mark.parametrize("hours", [1, pytest.param(10, marks=pytest.mark.long)])
def test_hours_are_transcribed_to_their_end_in_the_memory_of_minutes(
    hours: int, tmp_path: Path
) -> None:
    """An hour is 115 MB of samples, ten hours are 1150 MB."""
    seconds = hours * 3600
    few = peak_bytes(tmp_path / "minutes.flac", TEN_MINUTES_S)
    peak = peak_bytes(tmp_path / "hours.flac", seconds)
    print(f"ten minutes: peak {few / 2**20:.0f} MiB; {hours} h: {peak / 2**20:.0f} MiB")
    assert peak < LIMIT_BYTES
    assert peak - few < GROWTH * (seconds - TEN_MINUTES_S) * RATE * 2


def peak_bytes(path: Path, seconds: int) -> int:
    """Transcribe so much sound to its end in a process of its own, and return its peak."""
    subprocess.run(
        [FFMPEG, "-v", "error", "-stream_loop", "-1", "-i", str(SAMPLE), "-t", str(seconds),
         "-c:a", "flac", str(path)],
        check=True,
    )  # fmt: skip
    program = [sys.executable, "-m", "tests.pipeline.ten_hours", str(path)]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    duration, end, peak = map(float, done.stdout.split())
    assert duration == pytest.approx(seconds, abs=0.1)
    assert end > seconds - 30
    return round(peak)
