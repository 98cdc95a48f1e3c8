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

    from voxgate.audio.decoder.file import RegularFile
    from voxgate.audio.decoder.streamed_file import StreamedFile

    Packet: TypeAlias = AnyPacket[AudioStream]

PATTERN_BYTES = 64  # of a packet, searched for in the file: compressed sound does not repeat itself

WITHOUT_SYNC_WORDS = {"amr"}  # a damaged stretch has any number of packets, but positions
CONTIGUOUS = {"mlp", "truehd"}  # nothing is between packets; the parser passes over what is damaged

NONE_LOST = Fraction(0)


class ElementaryClock:
    """A count of the seconds that were lost between good packets."""

    def __init__(self, file: RegularFile | StreamedFile, container: str) -> None:
        self._has_sync_words = container not in WITHOUT_SYNC_WORDS
        self._is_contiguous = container in CONTIGUOUS
        self.skipped_silently = False  # before the last packet, FFmpeg passed over damaged bytes
        self._file = file
        self._end = 0  # position in the file where the last good packet ended
        self._bytes = 0  # of all good packets
        self._ticks = 0  # of all good packets, each a time base long
        self._counted = NONE_LOST  # seconds that FFmpeg assigned to damaged packets since then
        self._damaged = False

    def add_damaged(self, packet: Packet) -> None:
        """Record a packet that could not be decoded."""
        self._damaged = True
        self._counted += _seconds(packet)

    def add_decoded(self, packet: Packet) -> Fraction:
        """Record a decoded packet. Return the lost seconds before it that FFmpeg did not count.

        They are negative where it counted more than there were.
        """
        self.skipped_silently = self._is_contiguous and not self._follows(packet)
        self._damaged = self._damaged or self.skipped_silently
        lost = self._lost_before(packet) if self._damaged else NONE_LOST
        self._damaged, self._counted = False, NONE_LOST
        self._end = (self._end if self._bytes else packet.pos or 0) + packet.size
        self._bytes += packet.size
        self._ticks += packet.duration or 0
        return lost

    def _follows(self, packet: Packet) -> bool:
        """Return whether a packet lies where the last good one ended."""
        if self._damaged or not self._bytes:
            return True
        beginning = bytes(packet)[:PATTERN_BYTES]
        return self._file.read_at(self._end, len(beginning)) == beginning

    def _lost_before(self, packet: Packet) -> Fraction:
        """Find the packet in the file, and return the seconds that the bytes before it lasted."""
        position = (
            self._file.find(bytes(packet)[:PATTERN_BYTES], self._end)
            if self._has_sync_words
            else packet.pos
        )
        if position is None or not self._bytes:
            return Fraction(0)
        seconds = self._ticks * Fraction(packet.time_base or 0)
        missing = (position - self._end) * seconds / self._bytes
        self._end = position
        uncounted = missing - self._counted
        return max(Fraction(0), uncounted) if self._has_sync_words else uncounted


def _seconds(packet: Packet) -> Fraction:
    return (packet.duration or 0) * Fraction(packet.time_base or 0)
