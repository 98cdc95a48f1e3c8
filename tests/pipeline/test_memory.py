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
LIMIT_BYTES = 400 << 20


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


@pytest.mark.parametrize("hours", [1 / 6, pytest.param(10, marks=pytest.mark.long)])
def test_ten_hours_are_transcribed_to_their_end_in_little_memory(
    hours: float, tmp_path: Path
) -> None:
    """Ten hours are 1150 MB of samples."""
    path, seconds = tmp_path / "long.flac", round(hours * 3600)
    subprocess.run(
        [FFMPEG, "-v", "error", "-stream_loop", "-1", "-i", str(SAMPLE), "-t", str(seconds),
         "-c:a", "flac", str(path)],
        check=True,
    )  # fmt: skip
    program = [sys.executable, "-m", "tests.pipeline.ten_hours", str(path)]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    duration, end, peak = map(float, done.stdout.split())
    print(f"{hours} hours: peak {peak / 2**20:.0f} MiB")
    assert duration == pytest.approx(seconds, abs=0.1)
    assert end > seconds - 30
    assert peak < LIMIT_BYTES
