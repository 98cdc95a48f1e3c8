"""Headerless PCM, which nothing in the bytes gives away: the caller declares it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voxgate.errors import UsageError

ENCODINGS: Final = {
    "u8": 1, "s8": 1,
    "s16le": 2, "s16be": 2, "u16le": 2, "u16be": 2,
    "s24le": 3, "s24be": 3,
    "s32le": 4, "s32be": 4, "f32le": 4, "f32be": 4,
    "f64le": 8, "f64be": 8,
    "alaw": 1, "mulaw": 1,
}  # fmt: skip
"""FFmpeg's names of raw demuxers, with their bytes per sample."""


@dataclass(frozen=True, slots=True)
class PcmDeclaration:
    """Encoding, rate in Hz and number of interleaved channels of headerless PCM.

    Raises `UsageError` for what no such file can be.
    """

    encoding: str
    rate: int
    channels: int = 1

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise UsageError(
                f"No PCM encoding is called '{self.encoding}'. Known are: {', '.join(ENCODINGS)}."
            )
        if not 1_000 <= self.rate <= 768_000:
            raise UsageError(f"{self.rate} Hz is no sample rate: 1000 to 768000 are.")
        if not 1 <= self.channels <= 64:
            raise UsageError(f"{self.channels} channels cannot be: 1 to 64 can.")

    @classmethod
    def parse(cls, text: str) -> PcmDeclaration:
        """Read `encoding:rate[:channels]`, e.g. `s16le:16000:1`."""
        encoding, *numbers = text.split(":")
        if not 1 <= len(numbers) <= 2 or not all(n.isascii() and n.isdigit() for n in numbers):
            raise UsageError(
                f"'{text}' declares no PCM. Write encoding:rate:channels, e.g. s16le:16000:1."
            )
        return cls(encoding, *map(int, numbers))
