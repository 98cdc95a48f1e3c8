"""The containers of the table: how each is written, and where its header states a length."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    Edit: TypeAlias = Callable[[bytes, float], bytes]  # a file, the factor by which it changes


@dataclass(frozen=True)
class Written:
    """One container with one codec, as FFmpeg writes it from the arguments."""

    title: str
    demuxer: str  # of `FORMATS`
    name: str  # of the file
    sound: tuple[str, ...] = ()
    picture: tuple[str, ...] = ()  # () where it holds none
    lengths: tuple[Edit, ...] = ()  # () where its header states none
    starts_late: bool = True  # FFmpeg can write that the sound begins after the picture


def number(marker: bytes, offset: int, kind: str) -> Edit:
    """Return what changes a number that lies `offset` bytes after each beginning of a marker."""

    def edit(data: bytes, factor: float) -> bytes:
        edited = bytearray(data)
        for found in re.finditer(re.escape(marker), data):
            at = found.start() + offset
            (value,) = struct.unpack_from(kind, data, at)
            changed = value * factor if kind == ">d" else round(value * factor)
            struct.pack_into(kind, edited, at, changed)
        return bytes(edited)

    return edit


def matroska_tag(data: bytes, factor: float) -> bytes:
    """Change the length of each track, which is a text."""
    return data.replace(b"00:00:08.", b"00:00:%02d." % round(8 * factor))


RATE_48: Final = ("-ar", "48000")
RATE_44: Final = ("-ar", "44100")
LOSSY: Final = (*RATE_44, "-b:a", "64k")
STEREO: Final = ("-af", "pan=stereo|c0=c0|c1=c0", "-strict", "-2", *RATE_48)
PCM: Final = ("-c:a", "pcm_s16le")
SOX: Final = ("-f", "sox", "-c:a", "pcm_s32le")
ADPCM: Final = ("-c:a", "adpcm_ms")
ALAC: Final = ("-c:a", "alac")
AMR: Final = ("-c:a", "libopencore_amrnb", "-ar", "8000", "-b:a", "12.2k")
AAC: Final = ("-c:a", "aac", *RATE_44)
MP2: Final = ("-c:a", "mp2", *RATE_44)
MP3: Final = ("-c:a", "libmp3lame", *RATE_44)
OPUS: Final = ("-c:a", "libopus")
VORBIS: Final = ("-c:a", "libvorbis", "-b:a", "64k")
WMA: Final = ("-c:a", "wmav2", *RATE_44)
REAL: Final = ("-c:a", "ac3", *RATE_44)
MPEG4: Final = ("-c:v", "mpeg4")
MPEG2: Final = ("-c:v", "mpeg2video", "-r", "25")
RV10: Final = ("-c:v", "rv10", "-r", "25")
VP8: Final = ("-c:v", "libvpx", "-deadline", "realtime")
INDEX_FIRST: Final = ("-movflags", "+faststart")
FRAGMENTS: Final = ("-movflags", "frag_keyframe+empty_moov", "-frag_duration", "1000000")

MEDIA_HEADER: Final = (number(b"mdhd", 20, ">I"),)
MATROSKA: Final = (number(b"\x44\x89\x88", 3, ">d"), matroska_tag)
SAMPLE_COUNT: Final = (number(b"COMM", 10, ">I"), number(b"SSND", 4, ">I"))
STREAM_HEADER: Final = (number(b"auds", 32, "<I"),)
FILE_PROPERTIES: Final = (number(b"\xa1\xdc\xab\x8c\x47\xa9\xcf\x11", 40, "<Q"),)

CONTAINERS: Final = (
    Written("WAV", "wav", "x.wav", lengths=(number(b"data", 4, "<I"),)),
    Written("WAV, ADPCM", "wav", "x.wav", ADPCM, lengths=(number(b"fact", 8, "<I"),)),
    Written("WAV, RF64", "wav", "x.wav", ("-rf64", "always"), lengths=(number(b"ds64", 16, "<Q"),)),
    Written("Wave64", "w64", "x.w64", lengths=(number(b"data\xf3\xac\xd3\x11", 16, "<Q"),)),
    Written("AIFF", "aiff", "x.aiff", lengths=SAMPLE_COUNT),
    Written("AU", "au", "x.au", lengths=(number(b".snd", 8, ">I"),)),
    Written("CAF", "caf", "x.caf", lengths=(number(b"data", 4, ">Q"),)),
    Written("CAF, ALAC", "caf", "x.caf", ALAC, lengths=(number(b"pakt", 20, ">Q"),)),
    Written("VOC", "voc", "x.voc"),
    Written("IRCAM", "ircam", "x.sf", ("-f", "ircam")),
    Written("SoX", "sox", "x.sox", SOX, lengths=(number(b".SoX", 8, "<Q"),)),
    Written("FLAC", "flac", "x.flac", lengths=(number(b"fLaC", 22, ">I"),)),
    Written("WavPack", "wv", "x.wv", lengths=(number(b"wvpk", 12, "<I"),)),
    Written("TTA", "tta", "x.tta", lengths=(number(b"TTA1", 14, "<I"),)),
    Written("MLP", "mlp", "x.mlp", STEREO),
    Written("TrueHD", "truehd", "x.thd", STEREO),
    Written("MP3", "mp3", "x.mp3", LOSSY, lengths=(number(b"Info", 8, ">I"),)),
    Written("MP3 without a Xing header", "mp3", "x.mp3", (*LOSSY, "-write_xing", "0")),
    Written("MP2", "mp3", "x.mp2", LOSSY),
    Written("AAC (ADTS)", "aac", "x.aac", LOSSY),
    Written("AAC (LOAS)", "loas", "x.latm", (*AAC, "-f", "latm")),
    Written("AC-3", "ac3", "x.ac3", RATE_48),
    Written("E-AC-3", "eac3", "x.eac3", RATE_48),
    Written("DTS", "dts", "x.dts", ("-c:a", "dca", *STEREO)),
    Written("AMR", "amr", "x.amr", AMR),
    Written("Ogg, Opus", "ogg", "x.opus", OPUS),
    Written("Ogg, Vorbis", "ogg", "x.ogv", VORBIS, ("-c:v", "libtheora")),
    Written("Ogg, FLAC", "ogg", "x.oga", ("-c:a", "flac")),
    Written("M4A, AAC", "m4a", "x.m4a", AAC, lengths=MEDIA_HEADER),
    Written("M4A, ALAC, index first", "m4a", "x.m4a", (*ALAC, *INDEX_FIRST), lengths=MEDIA_HEADER),
    Written("MP4, index first", "mp4", "x.mp4", (*AAC, *INDEX_FIRST), MPEG4, MEDIA_HEADER),
    Written("MP4, fragmented", "mp4", "x.mp4", (*AAC, *FRAGMENTS), MPEG4),
    Written("MP4, fragmented, no picture", "mp4", "x.mp4", (*AAC, *FRAGMENTS)),
    Written("MOV, PCM, index first", "mov", "x.mov", (*PCM, *INDEX_FIRST), MPEG4, MEDIA_HEADER),
    Written("3GP, AMR", "3gp", "x.3gp", AMR, MPEG4, MEDIA_HEADER),
    Written("Matroska, Opus", "matroska", "x.mkv", OPUS, MPEG4, MATROSKA),
    Written("Matroska, PCM", "matroska", "x.mkv", PCM, MPEG4, MATROSKA),
    Written("Matroska, FLAC, no picture", "matroska", "x.mka", ("-c:a", "flac"), lengths=MATROSKA),
    Written("WebM", "webm", "x.webm", OPUS, VP8, MATROSKA),
    Written("NUT", "nut", "x.nut", MP3, MPEG4),
    Written("AVI, MP3", "avi", "x.avi", MP3, MPEG4, STREAM_HEADER, starts_late=False),
    Written("AVI, PCM", "avi", "x.avi", PCM, MPEG4, STREAM_HEADER, starts_late=False),
    Written("FLV", "flv", "x.flv", AAC, ("-c:v", "flv1"), (number(b"filesize", 9, ">d"),)),
    Written("ASF (WMA, WMV)", "asf", "x.asf", WMA, ("-c:v", "wmv2"), FILE_PROPERTIES),
    Written("RealMedia", "rm", "x.rm", REAL, RV10, (number(b"MDPR", 36, ">I"),), starts_late=False),
    Written("MXF", "mxf", "x.mxf", (*PCM, *RATE_48), MPEG2, starts_late=False),
    Written("WTV", "wtv", "x.wtv", MP2, MPEG2),
    Written("MPEG-TS", "mpegts", "x.ts", AAC, MPEG2),
    Written("MPEG-PS", "mpeg", "x.mpg", MP2, MPEG2),
)  # fmt: skip
"""FFmpeg cannot write a sound that begins late to AVI, RealMedia and MXF."""
