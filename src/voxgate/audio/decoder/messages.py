"""What a decoder's process says to its caller, over a pipe: messages of a kind, a length, a body.

    FACTS   JSON     once, first: what the container says of itself
    SOUND   PCM16    mono, 16 kHz, little-endian; appended to what came before
    SPEECH  float32  probabilities of speech, one for each 512 samples from the beginning
    NOTICE  JSON     {"code", "sentence"}: something to know about the result
    ERROR   JSON     {"code", "sentence"}: the end, without a result
    END     empty    the end: everything was decoded

A pipe that ends without ERROR or END means that the process died.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from voxgate.audio.pcm import PcmDeclaration

if TYPE_CHECKING:
    from voxgate.audio.source import Source
    from voxgate.settings import Settings


FACTS: Final = b"F"
SOUND: Final = b"S"
SPEECH: Final = b"P"
NOTICE: Final = b"N"
ERROR: Final = b"E"
FINISHED: Final = b"Z"

HEADER: Final = struct.Struct("<cI")
MAX_BODY: Final = 1 << 24  # no block comes near it: more is a decoder gone astray


def send(fd: int, kind: bytes, body: bytes = b"") -> None:
    """Write one message, waiting while the pipe is full: that is the back-pressure."""
    view = memoryview(HEADER.pack(kind, len(body)) + body)
    while view:
        view = view[os.write(fd, view) :]


# `DecoderJob`: all that a decoder's process is told. Plain values; the descriptors travel beside
# it.


@dataclass(frozen=True, slots=True)
class DecoderJob:
    """One file to decode, and its limits. Sizes in bytes, times in seconds."""

    name: str
    offset: int  # where in the descriptor the recording begins
    size: int | None  # None: a pipe, read to its end
    pcm: PcmDeclaration | None
    max_source_bytes: int
    max_duration_s: float
    memory_bytes: int
    cpu_s: int

    @classmethod
    def of(cls, source: Source, settings: Settings) -> DecoderJob:
        """The job of decoding this source under these settings."""
        return cls(
            name=source.name,
            offset=source.offset,
            size=source.size,
            pcm=source.pcm,
            max_source_bytes=settings.max_source_bytes,
            max_duration_s=settings.max_duration_s,
            memory_bytes=settings.decoder_memory_bytes,
            cpu_s=settings.decoder_cpu_s,
        )

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> DecoderJob:
        """The inverse of `to_json`."""
        fields = json.loads(line)
        pcm = fields.pop("pcm")
        return cls(**fields, pcm=PcmDeclaration(**pcm) if pcm else None)
