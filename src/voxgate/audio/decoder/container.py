"""An open container: the facts in its header, its sound tracks, and the frames of one in order."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Final

import av
import av.error

from voxgate.audio.decoder import amr
from voxgate.audio.decoder.beginning import beginnings
from voxgate.audio.decoder.duration import (
    ISO_MEDIA,
    MATROSKA,
    container_duration,
    stated_duration,
)
from voxgate.audio.decoder.elementary import ElementaryClock
from voxgate.audio.decoder.extent import is_unread, missing_bytes
from voxgate.audio.decoder.frame import ChannelNames
from voxgate.audio.decoder.opening import open_container, wav_header
from voxgate.audio.decoder.packets import PacketReader
from voxgate.audio.decoder.refusal import is_later_piece, later_piece_error
from voxgate.audio.decoder.streamed_file import StreamedFile
from voxgate.audio.decoder.tracks import choose_track
from voxgate.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream

    from voxgate.audio.decoder.file import RegularFile
    from voxgate.audio.decoder.packets import Packet
    from voxgate.audio.pcm import PcmDeclaration

ZERO_BASED: Final = {ISO_MEDIA, MATROSKA, "avi"}
"""Containers whose timestamps start at zero. In other containers they may start anywhere."""

LIVE_CLOCK_S: Final = 600
"""A zero-based file whose sound begins later than this was cut from a live stream."""

ELEMENTARY_STREAMS: Final = {
    *("mp3", "aac", "ac3", "eac3", "loas", "dts", "dtshd", "mlp", "truehd", "amr"),
}
"""Streams without timestamps. FFmpeg counts packets, so lost packets shift everything after."""

RAW_STREAMS: Final = ELEMENTARY_STREAMS | {"flac", "nut", "rm"}
"""Streams that FFmpeg reads to the file's end, through the header of another recording."""

FLAC_MIN_BYTES_PER_S: Final = 2
"""A frame of silence takes about 14 bytes, and lasts at most 4 s at 16 kHz."""

HEAD_BYTES: Final = 4096
"""Bytes from the beginning that are examined in addition to FFmpeg's own probe."""

LOOK_BACK_BYTES: Final = 1 << 16
"""Of a beginning before a damaged packet: a parser or codec may read over it."""


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """The header's facts about the sound track that is read, known before any decoding."""

    container: str  # FFmpeg's name of the demuxer
    codec: str
    rate: int  # Hz
    channels: int
    tracks: int  # sound tracks that can be decoded
    declared_s: float | None  # duration in the header; None where it states none


class Container:
    """An open container, and the one sound track of it that is read.

    The constructor raises `AudioError` with the code `empty_audio`, `not_audio`, `no_sound_track`
    or `truncated_audio`.
    """

    def __init__(
        self,
        file: RegularFile | StreamedFile,
        name: str,
        pcm: PcmDeclaration | None = None,
        *,
        track: str | None = None,
        language: str | None = None,
    ) -> None:
        """`track` and `language` choose the sound track: see `choose_track`."""
        self.name = name
        self.encrypted_packets = 0
        self.damaged_packets = 0  # packets that could not be decoded
        self.missing_bytes = 0  # of the container, where it states its size
        self.lacks_track = 0  # recordings after this one without the track that is asked for
        self.rest_bytes = 0  # of sound after the end that a WAV header states, in a pipe
        self.file = file
        self._head = file.head(HEAD_BYTES)
        if not self._head:  # a pipe or device: the size of a file was checked before
            raise AudioError(
                f"{name} is empty: it ended before its first byte.", code="empty_audio"
            )
        self._wav = wav_header(file, self._head)
        self._av = open_container(file, name, pcm, self._wav)
        self.stream = choose_track(self.tracks, name, track, language)
        self.packets = PacketReader(self._av, self.stream)
        self.channel_names = ChannelNames(self.stream.codec_context)
        self.declared_duration = (  # seconds, the delay included; None where none is stated
            self._wav.seconds if self._wav else stated_duration(self._av, self.stream, file)
        )
        self.facts = self._read_facts()
        if self.stream.codec_context.name == "tta":  # FFmpeg looks at its checksums only if asked
            self.stream.codec_context.options = {"err_detect": "crccheck+explode"}
        # One file, one process, one thread: audio codecs gain nothing from more threads.
        self.stream.codec_context.thread_count = 1

    def can_hold(self, seconds: float) -> bool:
        """Return whether the file is large enough for sound of this duration.

        This is checked for formats whose header states the duration as a single number, because
        one flipped bit can make it a day longer. Where the duration comes from an index, the index
        must be present, and no check is needed.
        """
        size = self.file.size
        if size is None:
            return True
        if self._wav:
            rate = self._wav.bytes_per_second
            return rate is not None and size >= seconds * rate
        return self._av.format.name != "flac" or size >= seconds * FLAC_MIN_BYTES_PER_S

    @property
    def origin(self) -> Fraction:
        """The timestamp of time zero, in seconds.

        In a zero-based container an offset is silence: the picture starts before the sound. In
        other containers it is the value of a clock that was already running.
        """
        start = Fraction(self._av.start_time or 0, av.time_base)
        live = start > LIVE_CLOCK_S
        return start if live or self._av.format.name not in ZERO_BASED else Fraction(0)

    def frames(self, on_lost: Callable[[Fraction], None]) -> Iterator[AudioFrame]:
        """Yield the decoded frames in order. Count damaged packets and leave them out.

        `on_lost` is called with the seconds of sound that are missing and that later timestamps do
        not account for.
        """
        name, codec = self._av.format.name, self.stream.codec_context.name
        clock = ElementaryClock(self.file, name) if name in ELEMENTARY_STREAMS else None
        is_amr = codec in amr.FRAME_BYTES
        packets = amr.checked(self.packets, codec) if is_amr else ((p, True) for p in self.packets)
        for packet, is_sound in packets:
            if packet.has_sidedata("encryption_info"):
                self.encrypted_packets += 1
                continue
            frames = self._decode(packet) if is_sound else None
            if frames is None:
                if name in RAW_STREAMS and self._next_begins_in(packet):
                    return
                self.damaged_packets += 1
                if clock:
                    clock.add_damaged(packet)
                continue
            if clock and frames:
                if lost := clock.add_decoded(packet):
                    on_lost(lost)
                self.damaged_packets += clock.skipped_silently
            yield from frames

    def count_gap(self) -> None:
        """Count a gap between two frames as damage, unless the recorder may have paused there."""
        if self.packets.gap_is_damage():
            self.damaged_packets += 1

    def examine_end(self, whole: RegularFile) -> None:
        """Compare the file's own size with those that the container states.

        `whole` is the file from this recording's beginning, now that a pipe has ended.
        """
        self.missing_bytes = missing_bytes(whole)
        if self._wav and self._wav.end and isinstance(self.file, StreamedFile):
            exceeded = self._wav.is_exceeded_by(whole)
            self.rest_bytes = whole.size - self._wav.end if exceeded else 0

    def examine_rest(self, whole: RegularFile) -> None:
        """Record whether sound may follow the last packet. No recording begins there."""
        if is_unread(whole, self.packets.end, self._av.format.name):
            self.packets.incomplete = True

    def close(self) -> None:
        """Free FFmpeg's resources."""
        self._av.close()

    def _decode(self, packet: Packet) -> list[AudioFrame] | None:
        """Return the frames of a packet, or None if it is damaged."""
        try:
            return self.stream.decode(packet)
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:  # for damage, codecs return arbitrary error numbers
            return None

    def _next_begins_in(self, packet: Packet) -> bool:
        """Return whether a packet is damaged because another recording begins there.

        If so, this recording ends before it.
        """
        at = packet.pos or 0
        for position in beginnings(self.file, max(1, at - LOOK_BACK_BYTES), at + packet.size):
            self.packets.end = position
            return True
        return False

    def _read_facts(self) -> ContainerFacts:
        """Return the header's facts. A stream may change its rate and channels later."""
        codec, declared = self.stream.codec_context, self.declared_duration
        if declared is None and self._av.format.name in {MATROSKA, "avi"}:  # of the longest track
            declared = container_duration(self._av)
        return ContainerFacts(
            container=self._av.format.name,
            codec=codec.name,
            rate=codec.sample_rate,
            channels=codec.channels,
            tracks=len(self.tracks),
            declared_s=None if declared is None else float(declared),
        )

    @cached_property
    def tracks(self) -> Sequence[AudioStream]:
        """The sound tracks that can be decoded. Others are read by nothing (spatial audio)."""
        streams = [s for s in self._av.streams.audio if s.codec_context is not None]
        if streams:
            return streams
        if self._av.streams.audio:
            raise AudioError(
                f"The sound track of {self.name} is in a codec that is not supported. Convert it: "
                f"ffmpeg -i INPUT output.flac",
                code="not_audio",
            )
        if is_later_piece(self._head):
            raise later_piece_error(self.name)
        kinds = ", ".join(sorted({s.type for s in self._av.streams})) or "nothing"
        raise AudioError(
            f"{self.name} has no sound track: it contains {kinds} only. Was the microphone "
            f"recorded?",
            code="no_sound_track",
        )
