"""How a file's size differs from its content: bytes that are missing, or that nothing has read.

Bytes are missing where the container states more: a copy that broke off. They are unread where
FFmpeg ends at damage, or at a length in the header, without an error.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Final

from voxgate.audio.decoder.wav import is_chunk_name

if TYPE_CHECKING:
    from voxgate.audio.decoder.file import RegularFile

HEAD_BYTES: Final = 4096
LAST_PAGE_BYTES: Final = 65_307  # the longest page of Ogg

EBML: Final = b"\x1a\x45\xdf\xa3"
SEGMENT: Final = b"\x18\x53\x80\x67"
ASF_HEADER: Final = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
ASF_PROPERTIES: Final = b"\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65"
VOC: Final = b"Creative Voice File\x1a"
FLV_SIZE: Final = b"\0\x08filesize\0"  # in the metadata: a name, then a double

READ_TO_END: Final = {"voc", "nut", "wtv"}
"""Containers whose last packet is near the file's end."""

CHUNK_ALIGNMENT: Final = {"aiff": 2, "caf": 1, "w64": 8}
"""Containers in which nothing but chunks may follow the sound, each at a multiple of bytes."""

MAX_TAIL_BYTES: Final = 1 << 15  # of an index, or of padding


def is_unread(file: RegularFile, end: int, container: str) -> bool:
    """Return whether there may be sound after the last packet, which ends at a position."""
    alignment = CHUNK_ALIGNMENT.get(container, 1)
    at = end + -end % alignment
    if container in CHUNK_ALIGNMENT:
        passed_over = not is_chunk_name(file.read_at(at, 4))
    else:
        passed_over = container in READ_TO_END
    return passed_over and file.size - at > MAX_TAIL_BYTES


def missing_bytes(file: RegularFile) -> int:
    """Return the missing bytes, or 0 where the container states no size of its own."""
    head = file.head(HEAD_BYTES)
    if head[:4] == b"OggS":
        return _missing_of_last_page(file)
    if head.startswith(VOC):
        return _missing_of_last_block(file)
    return max(0, _stated_size(head) - file.size)


def _stated_size(head: bytes) -> int:
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return 8 + int.from_bytes(head[4:8], "little")
    if head[:4] == b".SoX" and len(head) >= 16:
        header, samples = struct.unpack_from("<IQ", head, 4)
        return int(4 + header + 4 * samples)
    if head[:4] == EBML:
        return matroska_size(head)
    if head[:8] == ASF_HEADER:
        return _asf_size(head)
    if head[:3] == b"FLV" and (at := head.find(FLV_SIZE)) > 0:
        number = head[at + len(FLV_SIZE) :][:8]
        size = struct.unpack(">d", number)[0] if len(number) == 8 else 0.0
        return int(size) if math.isfinite(size) else 0
    return 0


def matroska_size(head: bytes) -> int:
    """Return where the segment ends. A live recording states no size: all bits are ones."""
    at = head.find(SEGMENT) + len(SEGMENT)
    first = head[at] if len(SEGMENT) <= at < len(head) else 0
    length = 9 - first.bit_length()  # of the size, by its leading zero bits
    unknown = (1 << 7 * length) - 1
    size = int.from_bytes(head[at : at + length], "big") & unknown
    return 0 if first == 0 or size == unknown else at + length + size


def _asf_size(head: bytes) -> int:
    at = head.find(ASF_PROPERTIES)
    properties = head[at : at + 92]
    if at < 0 or len(properties) < 92 or properties[88] & 1:  # 1: a broadcast of unknown size
        return 0
    return int.from_bytes(properties[40:48], "little")


def _missing_of_last_block(file: RegularFile) -> int:
    """Walk over the blocks of a VOC: a kind, and a size of three bytes. Kind 0 is the end."""
    at = int.from_bytes(file.read_at(len(VOC), 2), "little")
    while len(header := file.read_at(at, 4)) == 4 and header[0]:
        at += 4 + int.from_bytes(header[1:], "little")
    return max(0, at - file.size)


def _missing_of_last_page(file: RegularFile) -> int:
    start = max(0, file.size - LAST_PAGE_BYTES)
    tail = file.read_at(start, LAST_PAGE_BYTES)
    page = tail[tail.rfind(b"OggS\0") :] if b"OggS\0" in tail else b""
    if len(page) < 27:
        return 27 - len(page) if page else 0
    segments = page[27 : 27 + page[26]]
    return max(0, 27 + page[26] + sum(segments) - len(page))
