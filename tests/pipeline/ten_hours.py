"""Transcribe a recording by the scripted provider, and print what that took: a program.

`python -m tests.pipeline.ten_hours FILE` prints the transcript's duration, the end of its last
segment and the peak of this process's memory in bytes.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.scripted import Scripted
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.pipeline.budget import accept_options
from voxgate.pipeline.job import TranscriptionJob
from voxgate.pipeline.route import Route
from voxgate.settings import Settings
from voxgate.transcript.values import Options


async def main(path: Path) -> None:
    """Print the three numbers."""
    provider, settings = Scripted(), Settings()
    accepted = accept_options(provider.name, provider.capabilities, Options())
    async with DecoderPool(settings) as decoders:
        with Source.open(path, settings) as source:
            job = TranscriptionJob(
                source=source,
                options=accepted,
                route=Route.to(provider),
                decoders=decoders,
                settings=settings,
            )
            transcript = await job.transcript()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    print(transcript.duration, transcript.segments[-1].end, peak)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
