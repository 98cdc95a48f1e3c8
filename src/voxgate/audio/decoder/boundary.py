"""Where the first of several recordings ends, in formats in which FFmpeg reads on into the next.

In a fragmented MP4 it takes the second one's pieces for the first one's, at their own times. In MXF
it drops the sound that is later than the first one's length. In Matroska it takes the second one's
tracks for those of the first one with the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from voxgate.audio.decoder.beginning import beginnings
from voxgate.audio.decoder.extent import EBML, matroska_size

if TYPE_CHECKING:
    from voxgate.audio.decoder.file import RegularFile

MXF: Final = b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02"
HEAD_BYTES: Final = 64
PIECE_BYTES: Final = 1 << 16  # of an MP4, up to the time at which its first piece begins
SEGMENT_BYTES: Final = 4096  # of a Matroska, in which its segment begins
SEARCH_BYTES: Final = 64 << 20  # after the last part of an MXF, which has its index


def first_end(file: RegularFile) -> int:
    """Return the position where the first recording ends: the file's end, if there is one only."""
    head = file.head(HEAD_BYTES)
    if head[4:8] == b"ftyp":
        return _mp4_end(file)
    if head.startswith(MXF) and len(head) == HEAD_BYTES:
        return _mxf_end(file, head)
    if head.startswith(EBML):
        return _matroska_end(file)
    return file.size


def _mp4_end(file: RegularFile) -> int:
    """Walk over the boxes to a second `ftyp`. Those of size 0 last to the file's end."""
    at = 0
    while len(header := file.read_at(at, 16)) == 16:
        if at and header[4:8] == b"ftyp" and not _continues(file, at):
            return at
        size = int.from_bytes(header[:4], "big")
        size = int.from_bytes(header[8:], "big") if size == 1 else size
        if size < 8:
            break
        at += size
    return file.size


def _continues(file: RegularFile, at: int) -> bool:
    """Return whether the pieces after a repeated header go on with the clock of those before it."""
    beginning = file.read_at(at, PIECE_BYTES)
    clock = beginning.find(b"tfdt")
    wide = any(beginning[clock + 4 : clock + 5])  # the version: 0 or 1
    return clock >= 0 and any(beginning[clock + 8 : clock + 16 if wide else clock + 12])


def _mxf_end(file: RegularFile, head: bytes) -> int:
    """Look after the footer, whose position is in the header. A live recording states none."""
    value = 17 + (head[16] & 0x7F if head[16] & 0x80 else 0)  # after key and length
    footer = int.from_bytes(head[value + 24 : value + 32], "big")
    if not 0 < footer < file.size:
        return file.size
    return next(beginnings(file, footer, min(footer + SEARCH_BYTES, file.size)), file.size)


def _matroska_end(file: RegularFile) -> int:
    """Return where the segment ends, if a header follows. A live recording states no size."""
    end = matroska_size(file.head(SEGMENT_BYTES))
    return end if 0 < end < file.size and file.read_at(end, 4) == EBML else file.size
