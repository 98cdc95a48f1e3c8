"""Decode a whole recording into one value for tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.decoder_process import PcmBlock, RecordingFacts, SpeechProbabilities
from voxgate.audio.source import AudioInput, Source
from voxgate.settings import Settings
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from tests.sounds import Pcm
    from voxgate.audio.pcm import PcmDeclaration


@dataclass(frozen=True)
class Whole:
    """All events of one recording's decoder."""

    facts: RecordingFacts
    pcm: Pcm
    speech: tuple[float, ...]
    notices: tuple[Notice, ...]

    @property
    def codes(self) -> set[str]:
        return {notice.code for notice in self.notices}


async def decode(
    given: AudioInput,
    decoders: DecoderPool | None = None,
    settings: Settings | None = None,
    *,
    name: str | None = None,
    pcm: PcmDeclaration | None = None,
) -> Whole:
    """Decode one recording, with a pool of its own unless one is given."""
    settings = settings or Settings()
    if decoders is None:
        async with DecoderPool(settings) as own:
            return await decode(given, own, settings, name=name, pcm=pcm)
    facts, sound, speech, notices = None, list[bytes](), list[float](), list[Notice]()
    with Source.open(given, settings, name=name, pcm=pcm) as source:
        async for item in decoders.decode(source):
            if isinstance(item, PcmBlock):
                sound.append(item.pcm16)
            elif isinstance(item, SpeechProbabilities):
                speech.extend(item.probabilities)
            elif isinstance(item, RecordingFacts):
                facts = item
            else:
                notices.append(item)
    assert facts is not None
    return Whole(facts, np.frombuffer(b"".join(sound), "<i2"), tuple(speech), tuple(notices))
