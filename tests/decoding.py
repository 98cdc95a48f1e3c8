"""Decoding a recording whole, as a test wants to look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxgate.audio.decode import Decoders
from voxgate.audio.decoded import Block, Facts, Speech
from voxgate.audio.source import Given, Source
from voxgate.settings import Settings
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from tests.sounds import Pcm
    from voxgate.audio.pcm import PcmDeclaration


@dataclass(frozen=True)
class Whole:
    """All that a decoder said of one recording."""

    facts: Facts
    pcm: Pcm
    speech: tuple[float, ...]
    notices: tuple[Notice, ...]

    @property
    def codes(self) -> set[str]:
        return {notice.code for notice in self.notices}


async def decode(
    given: Given,
    decoders: Decoders | None = None,
    settings: Settings | None = None,
    *,
    name: str | None = None,
    pcm: PcmDeclaration | None = None,
) -> Whole:
    """Decode one recording; with decoders of its own unless some are given."""
    settings = settings or Settings()
    if decoders is None:
        async with Decoders(settings) as own:
            return await decode(given, own, settings, name=name, pcm=pcm)
    facts, sound, speech, notices = None, list[bytes](), list[float](), list[Notice]()
    with Source.open(given, settings, name=name, pcm=pcm) as source:
        async for item in decoders.decode(source):
            if isinstance(item, Block):
                sound.append(item.pcm16)
            elif isinstance(item, Speech):
                speech.extend(item.probabilities)
            elif isinstance(item, Facts):
                facts = item
            else:
                notices.append(item)
    assert facts is not None
    return Whole(facts, np.frombuffer(b"".join(sound), "<i2"), tuple(speech), tuple(notices))
