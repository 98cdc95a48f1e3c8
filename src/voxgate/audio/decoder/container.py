"""Opening a container: which formats are read, what it says of itself, and its frames in order."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias

import av
import av.error

from voxgate.audio.decoder.elementary import ElementaryClock
from voxgate.audio.decoder.file import PipeFile, RegularFile
from voxgate.audio.decoder.wav import WavHeader
from voxgate.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet as AnyPacket

    from voxgate.audio.pcm import PcmDeclaration

    Packet: TypeAlias = AnyPacket[AudioStream]

FORMATS: Final = (
    *("wav", "w64", "aiff", "au", "caf", "voc", "dsf"),
    *("flac", "wv", "ape", "tta", "tak", "mpc", "mpc8"),
    *("mp3", "aac", "ac3", "eac3", "dts", "loas", "latm", "amr", "amrnb", "amrwb", "gsm", "spx"),
    *("ogg", "matroska", "webm", "mov", "mp4", "m4a", "3gp", "3g2", "mj2"),
    *("avi", "flv", "asf", "mpegts", "mpeg"),
)
"""Demuxers that read one file and open nothing else: no playlist, no concat script, no image list,
no network. FFmpeg refuses every other one that its probe finds."""

ZERO_BASED: Final = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"}
"""Containers whose clock starts at their own zero. The others' clock may start anywhere."""

LIVE_CLOCK_S: Final = 600
"""A zero-based file whose sound begins later than this was cut from a live stream."""

ELEMENTARY: Final = {"mp3", "aac", "ac3", "eac3", "loas"}
"""Streams without timestamps: FFmpeg counts packets, so that lost ones move everything after."""

DECLARES_LENGTH: Final = {"wav", "w64", "aiff", "au", "caf", "flac", "wv", "ape", "tta", "avi"} | (
    ZERO_BASED - {"avi"}
)
"""Formats whose duration is written in the header, rather than guessed from the bit rate."""

FLAC_LEAST: Final = 2
"""Bytes a second: a frame of silence takes some 14, and lasts 4 s at most at 16 kHz."""

HEAD_NAMES: Final = 4096
"""Bytes looked at beside FFmpeg's own probe."""

OPTIONS: Final = {
    "format_whitelist": ",".join(FORMATS),
    "protocol_whitelist": "none",
    "probesize": str(5 << 20),
}


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What a container says of the sound track that is read, before anything is decoded."""

    container: str  # FFmpeg's name of the demuxer
    codec: str
    rate: int  # Hz
    channels: int
    tracks: int  # sound tracks in the container
    declared_s: float | None  # duration by its header, where it has one


class Container:
    """One open container and the sound track of it that is read.

    Raises `AudioError` (`empty_audio`), `AudioError` (`not_audio`), `AudioError`
    (`no_sound_track`), `AudioError` (`truncated_audio`) from the constructor.
    """

    def __init__(
        self, file: RegularFile | PipeFile, name: str, pcm: PcmDeclaration | None = None
    ) -> None:
        self.name = name
        self.damaged = 0  # packets that could not be decoded
        self.broken_off = False  # the container could not be read to its end
        self._file = file
        self._head = file.head(HEAD_NAMES)
        if not self._head:  # a pipe or device: a file's size was looked at before
            raise AudioError(
                f"{name} is empty: it ended before its first byte.", code="empty_audio"
            )
        self._wav = WavHeader.read(self._head)
        self._av = self._open(file, pcm)
        self.stream = self._choose()
        # One file, one process, one thread: codecs for sound gain nothing from more.
        self.stream.codec_context.thread_count = 1

    @property
    def facts(self) -> ContainerFacts:
        """Rate and channels are those of the first frame only; a stream may change them."""
        codec = self.stream.codec_context
        declared = self.declared
        return ContainerFacts(
            container=self._av.format.name,
            codec=codec.name,
            rate=codec.sample_rate,
            channels=codec.channels,
            tracks=len(self._av.streams.audio),
            declared_s=None if declared is None else float(declared),
        )

    @property
    def declared(self) -> Fraction | None:
        """The duration that the header states, in seconds; None where it would be a guess."""
        if self._wav:
            return self._wav.seconds
        name = self._av.format.name
        if name not in DECLARES_LENGTH and not (name == "mp3" and self._has_xing()):
            return None
        if self.stream.duration is not None and self.stream.time_base is not None:
            return self.stream.duration * self.stream.time_base
        return None if self._av.duration is None else Fraction(self._av.duration, av.time_base)

    def can_hold(self, seconds: float) -> bool:
        """Whether the file is large enough for what its header announces.

        Asked of formats whose header is one number, which one flipped bit makes a day longer; where
        the duration comes from an index, the index has to be there.
        """
        size = self._file.size
        if size is None:
            return True
        if self._wav:
            return size >= seconds * self._wav.bytes_per_second
        return self._av.format.name != "flac" or size >= seconds * FLAC_LEAST

    @property
    def origin(self) -> Fraction:
        """The timestamp of time zero, in seconds.

        An offset in a zero-based container is silence (the picture starts first); elsewhere it is
        a clock that was already running.
        """
        start = Fraction(self._av.start_time or 0, av.time_base)
        live = start > LIVE_CLOCK_S
        return start if live or self._av.format.name not in ZERO_BASED else Fraction(0)

    def frames(self, lost: Callable[[Fraction], None]) -> Iterator[AudioFrame]:
        """Decoded frames in order. Damaged packets are counted and left out.

        `lost` is told of seconds that vanish without leaving a trace in later timestamps.
        """
        clock = ElementaryClock(self._file) if self._av.format.name in ELEMENTARY else None
        for packet in self._packets():
            try:
                frames = self.stream.decode(packet)
            except av.error.MemoryError:
                raise
            except av.error.FFmpegError:  # decoders answer damage with any number they like
                self.damaged += 1
                if clock:
                    clock.bad(packet)
                continue
            if clock and frames:
                lost(clock.good(packet))
            yield from frames

    def close(self) -> None:
        """Free what FFmpeg holds."""
        self._av.close()

    def _packets(self) -> Iterator[Packet]:
        """Packets of the sound track, up to the end or to where the container breaks off."""
        try:
            yield from self._av.demux(self.stream)
        except (av.error.InvalidDataError, av.error.EOFError, av.error.PatchWelcomeError):
            self.broken_off = True

    def _open(self, file: RegularFile | PipeFile, pcm: PcmDeclaration | None) -> InputContainer:
        options, format_name = dict(OPTIONS), None
        if pcm:
            format_name = pcm.encoding
            options["format_whitelist"] = pcm.encoding
            options |= {"sample_rate": str(pcm.rate), "ch_layout": f"{pcm.channels}C"}
        elif self._wav and isinstance(file, RegularFile) and self._wav.goes_on(file):
            options["ignore_length"] = "1"
        try:
            return av.open(file, "r", format=format_name, options=options, metadata_errors="ignore")
        except av.error.FFmpegError as error:
            raise self._not_audio() from error

    def _choose(self) -> AudioStream:
        streams = [s for s in self._av.streams.audio if s.codec_context is not None]
        best = self._av.streams.best("audio")
        for stream in sorted(streams, key=lambda stream: stream is not best):
            return stream
        if self._av.streams.audio:
            raise AudioError(
                f"The sound track of {self.name} is in a codec that is not read here. Convert it: "
                f"ffmpeg -i INPUT output.flac",
                code="not_audio",
            )
        kinds = ", ".join(sorted({s.type for s in self._av.streams})) or "nothing"
        raise AudioError(
            f"{self.name} has no sound track: it holds {kinds} only. Was the microphone recorded?",
            code="no_sound_track",
        )

    def _not_audio(self) -> AudioError | AudioError:
        if self._head[4:8] == b"ftyp":
            return AudioError(
                f"{self.name} is cut off before its index (an MP4 without its 'moov' box), so that "
                f"nothing in it can be decoded. Copy or download it again.",
                code="truncated_audio",
            )
        if self._head[:4] in {b"RIFF", b"OggS", b"fLaC", b"\x1aE\xdf\xa3", b"FORM", b"caff"}:
            return AudioError(
                f"{self.name} begins like a recording, but is damaged or cut off in its header. "
                f"Copy or download it again.",
                code="truncated_audio",
            )
        return AudioError(
            f"{self.name} is not a recording that is read here: its bytes are {self._looks()}. "
            f"Known are WAV, MP3, FLAC, M4A, Ogg, Opus, WebM, MP4, MKV, AMR and others; headerless "
            f"PCM must be declared (--pcm s16le:16000:1).",
            code="not_audio",
        )

    def _looks(self) -> str:
        if self._head.lstrip().startswith((b"#EXTM3U", b"ffconcat", b"[playlist]")):
            return "a playlist (give the recordings that it names instead)"
        try:
            self._head[:512].decode("utf-8", "strict")
        except UnicodeDecodeError as error:
            if error.start < 500:  # else a character cut in two at the end
                return "of no known container"
        return "of no known container" if b"\0" in self._head[:512] else "text"

    def _has_xing(self) -> bool:
        """Whether an MP3's first frame counts the others, instead of holding sound.

        The tag stands behind the frame's side information, whose size depends on version and
        channels: http://gabriel.mp3-tech.org/mp3infotag.html, and 36 for VBRI.
        """
        start = 0
        if self._head[:3] == b"ID3":  # its size in four times seven bits
            bits = self._head[6:10]
            start = 10 + (bits[0] << 21 | bits[1] << 14 | bits[2] << 7 | bits[3])
        frame = self._file.at(start, 40)
        return any(frame[at : at + 4] in {b"Xing", b"Info", b"VBRI"} for at in (13, 21, 36))
