"""`transcribe`: the pipeline for callers without an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from voxgate.audio.channels import SoundChoice
from voxgate.errors import UsageError
from voxgate.models.catalogue import DEFAULT_MODEL
from voxgate.pipeline.session import Session
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from voxgate.audio.channels import Channels
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import AudioInput
    from voxgate.settings import Settings
    from voxgate.transcript.values import Transcript


def transcribe(
    source: AudioInput,
    model: str = DEFAULT_MODEL,
    *,
    language: str | None = None,
    name: str | None = None,
    pcm: PcmDeclaration | None = None,
    track: str | None = None,
    channels: Channels = "mix",
    times: bool = True,
    settings: Settings | None = None,
) -> Transcript:
    """Transcribe one recording: a path, bytes or an open binary file.

    `language` is one that the model must know, as `en`, `en-US` or `English`. `name` is the
    recording's name in messages. `pcm` declares the format of headerless samples. `track` is the
    number of a sound track, from 1, or its language; `channels="split"` recognises each channel by
    itself. `times` says whether times of words are wanted: some models need another model for them. Raises
    `VoxgateError`.

    Every call starts and ends its own processes. For several recordings, or inside an event loop,
    use `voxgate.Session`.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass  # no loop is running: `asyncio.run` may start one
    else:
        raise UsageError(
            "voxgate.transcribe blocks, and an event loop is running here. Use `async with "
            "voxgate.Session() as session: await session.transcribe(...)`."
        )

    async def run() -> Transcript:
        async with Session(settings) as session:
            return await session.transcribe(
                source,
                model=model,
                options=Options(language),
                name=name,
                pcm=pcm,
                choice=SoundChoice(track, channels),
                times=times,
            )

    return asyncio.run(run())
