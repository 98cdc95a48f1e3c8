"""What a WAV header announces; FFmpeg quietly believes the file's size instead."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxgate.audio.decoder.file import RegularFile

NEVER_FILLED_IN = 0x7FFFF000
"""From this size on (and at 0) a recorder wrote to a pipe, or crashed before it knew."""


@dataclass(frozen=True, slots=True)
class WavHeader:
    """The sound that a WAV file announces. Sizes and places in bytes."""

    start: int  # of the sound, in the file
    size: int
    bytes_per_second: int

    @classmethod
    def read(cls, head: bytes) -> WavHeader | None:
        """From the file's first bytes; None for other files, and where no size was filled in."""
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            return None
        rate, at = 0, 12
        while at + 8 <= len(head):
            kind, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
            if kind == b"fmt " and at + 20 <= len(head):
                (rate,) = struct.unpack_from("<I", head, at + 16)
            if kind == b"data":
                known = rate and 0 < size < NEVER_FILLED_IN
                return cls(at + 8, size, rate) if known else None
            at += 8 + size + size % 2
        return None

    @property
    def seconds(self) -> Fraction:
        """The duration that is announced."""
        return Fraction(self.size, self.bytes_per_second)

    def goes_on(self, file: RegularFile) -> bool:
        """Whether sound follows the announced end.

        Other chunks may follow, but each begins with a name of four printable characters.
        """
        file.seek(self.start + self.size + self.size % 2)
        after = file.read(4)
        file.seek(0)
        return len(after) == 4 and not after.replace(b" ", b"").isalnum()
