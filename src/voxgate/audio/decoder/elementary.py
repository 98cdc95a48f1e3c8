"""Time in streams without timestamps (MP3, ADTS AAC …), kept across damage.

FFmpeg counts the packets of such a stream, and its parser swallows bytes that it cannot read: after
damage everything lies too early. What tells the truth is the place in the file where the next good
packet lies, and how many bytes a second of this stream takes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet as AnyPacket

    from voxgate.audio.decoder.file import PipeFile, RegularFile

    Packet: TypeAlias = AnyPacket[AudioStream]

NEEDLE = 64  # bytes of a packet that are looked for: compressed sound does not repeat itself


class ElementaryClock:
    """Seconds that were lost between good packets."""

    def __init__(self, file: RegularFile | PipeFile) -> None:
        self._file = file
        self._end = 0  # in the file: where the last good packet ended
        self._bytes = 0  # of good packets, and the seconds that they hold
        self._seconds = Fraction(0)
        self._counted = Fraction(0)  # seconds that FFmpeg gave to bad packets since
        self._damaged = False

    def bad(self, packet: Packet) -> None:
        """Note a packet that could not be decoded."""
        self._damaged = True
        self._counted += _seconds(packet)

    def good(self, packet: Packet) -> Fraction:
        """Note a packet that was decoded. Returns seconds that were lost before it, uncounted."""
        lost = self._resume(packet) if self._damaged else Fraction(0)
        self._damaged, self._counted = False, Fraction(0)
        self._end = (self._end if self._bytes else packet.pos or 0) + packet.size
        self._bytes += packet.size
        self._seconds += _seconds(packet)
        return lost

    def _resume(self, packet: Packet) -> Fraction:
        """Find where sound goes on after damage, and what the bytes in between would have held."""
        place = self._file.find(bytes(packet)[:NEEDLE], self._end)
        if place is None or not self._bytes:
            return Fraction(0)
        missing = (place - self._end) * self._seconds / self._bytes
        self._end = place
        return max(Fraction(0), missing - self._counted)


def _seconds(packet: Packet) -> Fraction:
    return (packet.duration or 0) * Fraction(packet.time_base or 0)
