"""Decode a whole recording to one value, for tests."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.decoder_process import PcmBlock, RecordingFacts, SpeechProbabilities
from voxgate.audio.source import AudioInput, Source
from voxgate.settings import Settings
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from tests.sounds import Pcm
    from voxgate.audio.arriving import ArrivingFile
    from voxgate.audio.channels import SoundChoice
    from voxgate.audio.decoder_process import DecoderEvent
    from voxgate.audio.pcm import PcmDeclaration


@dataclass(frozen=True)
class DecodedRecording:
    """All events of one decoder."""

    facts: RecordingFacts
    pcm: Pcm
    speech: tuple[float, ...]
    levels_db: tuple[float, ...]
    notices: tuple[Notice, ...]

    @property
    def codes(self) -> set[str]:
        return {notice.code for notice in self.notices}


async def decode(
    recording: AudioInput | ArrivingFile,
    decoders: DecoderPool | None = None,
    settings: Settings | None = None,
    *,
    name: str | None = None,
    pcm: PcmDeclaration | None = None,
    choice: SoundChoice | None = None,
    tenant: Hashable = None,
) -> DecodedRecording:
    """Decode one recording in `decoders`, or in a new pool."""
    settings = settings or Settings()
    if decoders is None:
        async with DecoderPool(settings) as own_pool:
            return await decode(
                recording, own_pool, settings, name=name, pcm=pcm, choice=choice, tenant=tenant
            )
    with Source.open(recording, settings, name=name, pcm=pcm, choice=choice) as source:
        return collected([event async for event in decoders.decode(source, tenant)])


def collected(events: Iterable[DecoderEvent]) -> DecodedRecording:
    """Return all events of one recording as one value. Channels follow block by block."""
    facts, sound, notices = None, list[bytes](), list[Notice]()
    speech, levels_db = list[float](), list[float]()
    for event in events:
        if isinstance(event, PcmBlock):
            sound.append(event.pcm16)
        elif isinstance(event, SpeechProbabilities):
            speech.extend(event.probabilities)
            levels_db.extend(event.levels_db)
        elif isinstance(event, RecordingFacts):
            assert facts is None
            facts = event
        else:
            notices.append(event)
    assert facts is not None
    samples = np.frombuffer(b"".join(sound), "<i2")
    return DecodedRecording(facts, samples, tuple(speech), tuple(levels_db), tuple(notices))


async def decode_piped(data: bytes, decoders: DecoderPool) -> DecodedRecording:
    """Decode bytes that arrive through a pipe."""
    read_fd, write_fd = os.pipe()
    writer = threading.Thread(target=_fill, args=(write_fd, data))
    writer.start()
    with os.fdopen(read_fd, "rb") as pipe:
        decoded = await decode(pipe, decoders)
    writer.join()
    return decoded


def _fill(fd: int, data: bytes) -> None:
    with os.fdopen(fd, "wb") as pipe:
        pipe.write(data)
