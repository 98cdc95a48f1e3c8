"""Correct times in streams without timestamps (MP3, ADTS AAC …) after damage.

FFmpeg counts the packets of such a stream, and its parser skips bytes that it cannot read. After
damage, all times are therefore too early. `ElementaryClock` computes the missing time from two
facts: the position of the next good packet in the file, and the stream's bytes per second.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet as AnyPacket

    from voxgate.audio.decoder.file import PipeFile, RegularFile

    Packet: TypeAlias = AnyPacket[AudioStream]

PATTERN_BYTES = 64  # of a packet, searched for in the file: compressed sound does not repeat itself


class ElementaryClock:
    """A count of the seconds that were lost between good packets."""

    def __init__(self, file: RegularFile | PipeFile) -> None:
        self._file = file
        self._end = 0  # position in the file where the last good packet ended
        self._bytes = 0  # of all good packets
        self._seconds = Fraction(0)  # of all good packets
        self._counted = Fraction(0)  # seconds that FFmpeg assigned to damaged packets since then
        self._damaged = False

    def add_damaged(self, packet: Packet) -> None:
        """Record a packet that could not be decoded."""
        self._damaged = True
        self._counted += _seconds(packet)

    def add_decoded(self, packet: Packet) -> Fraction:
        """Record a decoded packet. Return the lost seconds before it that FFmpeg did not count."""
        lost = self._lost_before(packet) if self._damaged else Fraction(0)
        self._damaged, self._counted = False, Fraction(0)
        self._end = (self._end if self._bytes else packet.pos or 0) + packet.size
        self._bytes += packet.size
        self._seconds += _seconds(packet)
        return lost

    def _lost_before(self, packet: Packet) -> Fraction:
        """Find the packet in the file, and return the seconds that the bytes before it lasted."""
        position = self._file.find(bytes(packet)[:PATTERN_BYTES], self._end)
        if position is None or not self._bytes:
            return Fraction(0)
        missing = (position - self._end) * self._seconds / self._bytes
        self._end = position
        return max(Fraction(0), missing - self._counted)


def _seconds(packet: Packet) -> Fraction:
    return (packet.duration or 0) * Fraction(packet.time_base or 0)
