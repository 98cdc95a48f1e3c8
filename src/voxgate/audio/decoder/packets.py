"""The packets of one track in the order of the file, to its end or to where it is unreadable."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import av.error

from voxgate.audio.decoder.stamps import stamps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet as AnyPacket
    from av.stream import Stream

    Packet: TypeAlias = AnyPacket[AudioStream]

READ_ERRORS: Final = (
    *(av.error.InvalidDataError, av.error.EOFError, av.error.PatchWelcomeError),
    av.error.ArgumentError,  # a chained Ogg changes its codec
)

PAUSELESS: Final = {"ogg", "flac"}

MAX_OVERHEAD_BYTES: Final = 1 << 9
"""Headers between two packets; a damaged stretch is longer."""

CODEC_DELAY: Final = 8  # packets that were read when the frame after a damaged stretch comes out

LOOK_AHEAD: Final = {"asf": 8}
"""Packets to read ahead: FFmpeg gives those after a hole the position before it."""


class PacketReader:
    """Reads the packets of one track, and watches over the bytes between those of all tracks."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self.incomplete = False  # the container could not be read to its end
        self.end = 0  # position in the file after the last packet of any track
        self._container, self._stream = container, stream
        self._stamps = stamps(container.format.name, stream)
        self._look_ahead = LOOK_AHEAD.get(container.format.name, 0)
        watched = CODEC_DELAY + self._look_ahead
        self._skipped = deque[int](maxlen=watched)  # bytes before each of the last packets
        self._most_skipped = 0  # before any earlier packet
        self._corrupt = False  # FFmpeg found a packet to be damaged, since the last gap

    def __iter__(self) -> Iterator[Packet]:
        """Yield the packets, to the end or to the first one that is unreadable."""
        ahead: deque[Packet] = deque()
        try:
            for packet in self._container.demux():
                self._watch(packet)
                if packet.stream.index == self._stream.index:  # at the end, stream_index is 0
                    own = cast("Packet", packet)
                    self._stamps(own)
                    ahead.append(own)
                if len(ahead) > self._look_ahead:
                    yield ahead.popleft()
        except READ_ERRORS:
            self.incomplete = True
        yield from ahead

    def gap_is_damage(self) -> bool:
        """Return whether a gap between two frames is damage. The recorder may have paused there.

        Ogg and FLAC have no pauses. In others more bytes were skipped than ever before without a
        gap, or FFmpeg found that packets of MPEG-TS are missing.
        """
        usual = MAX_OVERHEAD_BYTES + 2 * self._most_skipped
        skipped, corrupt = max(self._skipped, default=0), self._corrupt
        self._skipped.clear()
        self._corrupt = False
        return self._container.format.name in PAUSELESS or corrupt or skipped > usual

    def _watch(self, packet: AnyPacket[Stream]) -> None:
        """Record the bytes that were skipped before a packet, and where it ends."""
        self._corrupt = self._corrupt or packet.is_corrupt
        if packet.pos is None:
            return
        if len(self._skipped) == self._skipped.maxlen:
            self._most_skipped = max(self._most_skipped, self._skipped[0])
        self._skipped.append(max(0, packet.pos - self.end) if self.end else 0)
        self.end = max(self.end, packet.pos + packet.size)
