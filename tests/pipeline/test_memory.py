"""Memory does not grow from recording to recording."""

from __future__ import annotations

import psutil

from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.pipeline.budget import accept_options
from voxgate.pipeline.job import TranscriptionJob
from voxgate.settings import Settings
from voxgate.transcript.values import Options

WARM, RECORDINGS = 10, 50


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
                    provider=provider,
                    decoders=decoders,
                    settings=settings,
                ).transcript()
            assert transcript.text
            sizes.append(process.memory_info().rss)
    held = (RECORDINGS - WARM) * len(sample()) * 2
    print(f"{len(sample()) / RATE:.0f} s each; grew by {sizes[-1] - sizes[WARM]} of {held} bytes")
    assert sizes[-1] - sizes[WARM] < held / 2
