"""The packets of one track in the order of the file, to its end or to where it is unreadable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import av.error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet as AnyPacket

    Packet: TypeAlias = AnyPacket[AudioStream]

READ_ERRORS: Final = (
    *(av.error.InvalidDataError, av.error.EOFError, av.error.PatchWelcomeError),
    av.error.ArgumentError,  # a chained Ogg changes its codec
)

PAUSELESS: Final = {"ogg", "flac"}

MAX_OVERHEAD_BYTES: Final = 1 << 9
"""Headers between two packets; a damaged stretch is longer."""


class PacketReader:
    """Reads the packets of one track, and watches over the bytes between them."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self.incomplete = False  # the container could not be read to its end
        self.end = 0  # position in the file after the last packet
        self._container, self._stream = container, stream
        self._skipped_bytes = 0  # the most between two packets, since the last gap

    def __iter__(self) -> Iterator[Packet]:
        """Yield the packets, to the end or to the first one that is unreadable."""
        try:
            for packet in self._container.demux(self._stream):
                if self.end:
                    self._skipped_bytes = max(self._skipped_bytes, (packet.pos or 0) - self.end)
                self.end = max(self.end, (packet.pos or 0) + packet.size)
                yield packet
        except READ_ERRORS:
            self.incomplete = True

    def gap_is_damage(self) -> bool:
        """Return whether a gap between two frames is damage. The recorder may have paused there.

        Ogg and FLAC have no pauses. In others the bytes of the gap were skipped, which can be told
        where no other track lies between.
        """
        skipped, self._skipped_bytes = self._skipped_bytes, 0
        only_track = len(self._container.streams) == 1
        pauseless = self._container.format.name in PAUSELESS
        return pauseless or (only_track and skipped > MAX_OVERHEAD_BYTES)
