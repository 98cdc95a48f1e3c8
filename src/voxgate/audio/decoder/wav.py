"""The size in a WAV header. FFmpeg replaces it silently by one from the file's size."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from voxgate.audio.decoder.beginning import BEGINNING, OVERLAP_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.audio.decoder.file import RegularFile

SLACK: Final = 1 << 16
"""A size of 0, or within this of 2 or 4 GiB, was never filled in: the recorder wrote to a pipe or
crashed."""

STRAY_BYTES: Final = 1 << 15
"""Fewer bytes than this after the end, if no chunk begins there, are padding and not sound."""

W64_RIFF: Final = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
UNCOMPRESSED: Final = {1, 3, 6, 7}  # format tags: PCM, float, A-law, mu-law
EXTENSIBLE: Final = 0xFFFE  # the tag follows at byte 24
METADATA: Final = {b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"_PMX", b"cue ", b"smpl", b"PEAK"}


@dataclass(frozen=True, slots=True)
class WavHeader:
    """The sound that a WAV header states. Sizes and positions are in bytes."""

    is_w64: bool  # Sony's variant with sizes of 64 bits
    start: int  # position of the sound in the file
    size: int | None  # None: it was never filled in
    bytes_per_second: int | None  # None for a compressed codec, whose stated rate is a guess
    fact_s: Fraction | None  # duration by the number of samples in the `fact` chunk

    @classmethod
    def parse(cls, head: bytes) -> WavHeader | None:
        """Parse the file's first bytes. Return None for other formats.

        Return None, too, if the sound begins after these bytes.
        """
        is_w64 = head[:16] == W64_RIFF
        if not is_w64 and (head[:4] not in {b"RIFF", b"RF64", b"BW64"} or head[8:12] != b"WAVE"):
            return None
        rate, align, tag, samples, long_size = 0, 0, 0, 0, None
        for at, kind, size in _w64_chunks(head) if is_w64 else _chunks(head):
            body = head[at : at + size]
            if kind == b"ds64" and len(body) >= 16:
                (long_size,) = struct.unpack_from("<Q", body, 8)
            if kind == b"fmt " and len(body) >= 16:
                tag, _, rate, _, align = struct.unpack_from("<HHIIH", body)
                if tag == EXTENSIBLE and len(body) >= 26:
                    (tag,) = struct.unpack_from("<H", body, 24)
            if kind == b"fact" and len(body) >= 4:
                (samples,) = struct.unpack_from("<I", body)
            if kind == b"data":
                return cls(
                    is_w64=is_w64,
                    start=at,
                    size=long_size if size == 0xFFFFFFFF and long_size else _known(size),
                    bytes_per_second=rate * align or None if tag in UNCOMPRESSED else None,
                    fact_s=Fraction(samples, rate) if samples and rate else None,
                )
        return None

    @property
    def end(self) -> int | None:
        """The position where the stated sound ends. None if its size was never filled in."""
        return None if self.size is None else self.start + self.size

    @property
    def seconds(self) -> Fraction | None:
        """The duration that the header states, or None."""
        if self.bytes_per_second is None:
            return self.fact_s
        return None if self.size is None else Fraction(self.size, self.bytes_per_second)

    def is_exceeded_by(self, file: RegularFile) -> bool:
        """Return whether the file has more sound after the end that the header states.

        Other chunks may follow there, or another recording. Each begins with a name of four
        printable characters, and ends where the next one or the file does.
        """
        if self.end is None or self.is_w64:
            return False
        at = self.end + self.end % 2
        while is_chunk_name((head := file.read_at(at, OVERLAP_BYTES))[:4]):
            if BEGINNING.match(head):
                return False
            after = at + 8 + int.from_bytes(head[4:8], "little")
            if after > file.size + 1 and head[:4] not in METADATA:
                break
            at = after + after % 2
        return file.size - at > STRAY_BYTES


def _chunks(head: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield each chunk's position after its own header, its name and its size."""
    at = 12
    while at + 8 <= len(head):
        kind, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        yield at + 8, kind, size
        at += 8 + size + size % 2


def _w64_chunks(head: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Do the same for W64: names of 16 bytes, sizes with the header, positions in steps of 8."""
    at = 40
    while at + 24 <= len(head):
        size = int.from_bytes(head[at + 16 : at + 24], "little")
        yield at + 24, head[at : at + 4], max(0, size - 24)
        at += max(24, size + -size % 8)


def _known(size: int) -> int | None:
    near_placeholder = size > SLACK and (size + SLACK) % (1 << 31) < 2 * SLACK
    return None if size == 0 or near_placeholder else size


def is_chunk_name(kind: bytes) -> bool:
    """Return whether four bytes can be the name of a chunk: printable characters."""
    return (
        len(kind) == 4 and kind.isascii() and kind.replace(b" ", b"").replace(b"_", b"").isalnum()
    )
