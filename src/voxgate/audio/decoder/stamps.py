"""Timestamps that FFmpeg gets wrong after a damaged stretch, corrected by what the file states.

AVI has none: FFmpeg counts the chunks that it finds. The index states the number of each. Ogg
states the time of a page's end: FFmpeg lets the first page after the hole follow the last one
before it. Each frame of FLAC states its own number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.audio.stream import AudioStream
    from av.packet import Packet as AnyPacket

    Packet: TypeAlias = AnyPacket[AudioStream]

CHUNK_HEADER_BYTES: Final = 8
VARIABLE_BLOCKS: Final = 1  # the flag that a frame of FLAC states its first sample, not its number


def stamps(container: str, stream: AudioStream) -> Callable[[Packet], None]:
    """Return what corrects the timestamp of each packet of a track, in the order of the file."""
    if container == "avi":
        return IndexStamps(stream)
    if container == "ogg" and stream.codec_context.name == "flac":
        return FlacStamps(stream)
    return lambda _: None


class IndexStamps:
    """Takes timestamps from the index, where it lists a packet's position."""

    def __init__(self, stream: AudioStream) -> None:
        self._entries = stream.index_entries
        self._next, self._shift = 0, 0
        self._scale = (
            0  # of the index, which counts bytes where a packet's timestamp counts samples
        )

    def __call__(self, packet: Packet) -> None:
        """Correct a packet's timestamp. One that the index does not list follows the last one."""
        if packet.pos is None or packet.pts is None:
            return
        position = packet.pos - CHUNK_HEADER_BYTES
        while self._next < len(self._entries) and self._entries[self._next].pos < position:
            self._next += 1
        if self._next < len(self._entries) and self._entries[self._next].pos == position:
            stated = self._entries[self._next].timestamp
            self._scale = self._scale or (round(stated / packet.pts) if packet.pts else 0)
            self._shift = stated // (self._scale or 1) - packet.pts
        packet.pts += self._shift


class FlacStamps:
    """Takes timestamps from the frames' own numbers, which begin anew in each chained stream."""

    def __init__(self, stream: AudioStream) -> None:
        header = stream.codec_context.extradata or b""
        self._block_samples = int.from_bytes(header[:2], "big")
        self._first: int | None = None  # the timestamp of number 0

    def __call__(self, packet: Packet) -> None:
        """Correct a packet's timestamp."""
        number = self._first_sample(bytes(packet)[:12])
        if packet.pts is None or number is None:
            return
        if self._first is None:
            self._first = packet.pts - number
        packet.pts = self._first + number

    def _first_sample(self, header: bytes) -> int | None:
        """Return the number of a frame's first sample. It is coded as UTF-8 codes a character."""
        if len(header) < 12 or header[0] != 0xFF or header[1] & 0xFE != 0xF8:
            return None
        ones = 8 - (header[4] ^ 0xFF).bit_length()  # leading ones: the number's bytes, or 0 for one
        number = header[4] & (0x7F >> ones)
        for byte in header[5 : 4 + ones]:
            number = number << 6 | byte & 0x3F
        return number if header[1] & VARIABLE_BLOCKS else number * self._block_samples
