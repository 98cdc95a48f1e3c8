"""Tell frames of AMR from other bytes. They have no checksum: FFmpeg decodes anything to noise.

A frame begins with a byte of its own: a reserved bit, the mode in four bits, a flag of quality and
two reserved bits (RFC 4867, 5.3). The mode states how many bytes the frame has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from voxgate.audio.decoder.packets import Packet

RESERVED_BITS: Final = 0x83
FRAME_BYTES: Final[dict[str, dict[int, int]]] = {  # FFmpeg's codec: mode: bytes
    "amrnb": dict(enumerate((13, 14, 16, 18, 20, 21, 27, 32, 6))) | {15: 1},
    "amrwb": dict(enumerate((18, 24, 33, 37, 41, 47, 51, 59, 61, 6))) | {14: 1, 15: 1},
}
TRUSTED_FRAMES: Final = 4
"""So many valid frames in a row are no coincidence: one in twelve bytes begins a valid one."""


def checked(packets: Iterable[Packet], codec: str) -> Iterator[tuple[Packet, bool]]:
    """Yield each packet, and whether it is sound. After a damaged one, a few must be valid."""
    waiting: list[Packet] = []
    trusted = True
    for packet in packets:
        if packet.size and not is_valid(bytes(packet), codec):
            yield from ((each, False) for each in [*waiting, packet])
            waiting, trusted = [], False
            continue
        waiting.append(packet)
        if trusted or not packet.size or len(waiting) == TRUSTED_FRAMES:
            yield from ((each, True) for each in waiting)
            waiting, trusted = [], True
    yield from ((each, False) for each in waiting)


def is_valid(data: bytes, codec: str) -> bool:
    """Return whether bytes are frames and nothing else. Zeros are a hole in the file."""
    at = 0 if any(data) else 1
    while at < len(data):
        size = FRAME_BYTES[codec].get(data[at] >> 3 & 15)
        if size is None or data[at] & RESERVED_BITS:
            return False
        at += size
    return at == len(data)
