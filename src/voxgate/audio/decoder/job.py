"""`Job`: all that a decoder's process is told. Plain values; the descriptors travel beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from voxgate.audio.pcm import PcmDeclaration

if TYPE_CHECKING:
    from voxgate.audio.source import Source
    from voxgate.settings import Settings


@dataclass(frozen=True, slots=True)
class Job:
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
    def of(cls, source: Source, settings: Settings) -> Job:
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
    def from_json(cls, line: str) -> Job:
        """The inverse of `to_json`."""
        fields = json.loads(line)
        pcm = fields.pop("pcm")
        return cls(**fields, pcm=PcmDeclaration(**pcm) if pcm else None)
