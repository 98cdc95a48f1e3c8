"""`transcribe` and `transcribe_async`: one recording in one call, without or with an event loop."""

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
    itself. `times` says whether times of words are wanted: some models need another model for
    them. Raises `VoxgateError`.

    Every call starts and ends its own processes. For several recordings use `voxgate.Session`,
    inside an event loop, as in a notebook, `transcribe_async`.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass  # no loop is running: `asyncio.run` may start one
    else:
        raise UsageError(
            "voxgate.transcribe blocks, and an event loop is running here, as in a notebook. Use "
            "`await voxgate.transcribe_async(...)`, with the same arguments."
        )
    return asyncio.run(
        transcribe_async(
            source,
            model,
            language=language,
            name=name,
            pcm=pcm,
            track=track,
            channels=channels,
            times=times,
            settings=settings,
        )
    )


async def transcribe_async(
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
    """Transcribe one recording inside an event loop; otherwise it is `transcribe`.

    Raises `VoxgateError`.
    """
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
