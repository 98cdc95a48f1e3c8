"""Headerless PCM. Its bytes do not show their format, so the caller must declare it."""

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
"""The names of FFmpeg's raw demuxers, with the bytes of one sample."""


@dataclass(frozen=True, slots=True)
class PcmDeclaration:
    """The encoding, the rate in Hz and the number of interleaved channels of headerless PCM.

    Raises `UsageError` for an unknown encoding, and for a rate or number of channels out of range.
    """

    encoding: str
    rate: int
    channels: int = 1

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise UsageError(
                f"'{self.encoding}' is not a PCM encoding. Supported are: {', '.join(ENCODINGS)}."
            )
        if not 1_000 <= self.rate <= 768_000:
            raise UsageError(
                f"The sample rate {self.rate} Hz is not supported: use 1000 to 768000 Hz."
            )
        if not 1 <= self.channels <= 64:
            raise UsageError(f"{self.channels} channels are not supported: use 1 to 64.")

    @classmethod
    def parse(cls, text: str) -> PcmDeclaration:
        """Parse `encoding:rate[:channels]`, e.g. `s16le:16000:1`. Raise `UsageError`."""
        encoding, *numbers = text.split(":")
        if not 1 <= len(numbers) <= 2 or not all(n.isascii() and n.isdigit() for n in numbers):
            raise UsageError(
                f"'{text}' is not a PCM declaration. Write encoding:rate:channels, "
                f"e.g. s16le:16000:1."
            )
        return cls(encoding, *map(int, numbers))
