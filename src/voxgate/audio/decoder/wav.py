"""The size in a WAV header. FFmpeg replaces it silently by one from the file's size."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxgate.audio.decoder.file import RegularFile

UNKNOWN_SIZE = 0x7FFFF000
"""A size of 0, or of this or more, was never filled in: the recorder wrote to a pipe or crashed."""


@dataclass(frozen=True, slots=True)
class WavHeader:
    """The sound that a WAV header states. Sizes and positions are in bytes."""

    start: int  # position of the sound in the file
    size: int
    bytes_per_second: int

    @classmethod
    def parse(cls, head: bytes) -> WavHeader | None:
        """Parse the file's first bytes. Return None for other formats and for an unknown size."""
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            return None
        rate, at = 0, 12
        while at + 8 <= len(head):
            kind, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
            if kind == b"fmt " and at + 20 <= len(head):
                (rate,) = struct.unpack_from("<I", head, at + 16)
            if kind == b"data":
                known = rate and 0 < size < UNKNOWN_SIZE
                return cls(at + 8, size, rate) if known else None
            at += 8 + size + size % 2
        return None

    @property
    def seconds(self) -> Fraction:
        """The duration that the header states."""
        return Fraction(self.size, self.bytes_per_second)

    def is_exceeded_by(self, file: RegularFile) -> bool:
        """Return whether the file has more sound after the end that the header states.

        Other chunks may follow there, but each begins with a name of four printable characters.
        """
        file.seek(self.start + self.size + self.size % 2)
        after = file.read(4)
        file.seek(0)
        return len(after) == 4 and not after.replace(b" ", b"").isalnum()
