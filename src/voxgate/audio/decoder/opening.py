"""Open a container by FFmpeg: which formats are accepted, and which part of the file it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import av
import av.error

from voxgate.audio.decoder.boundary import first_end
from voxgate.audio.decoder.file import RegularFile
from voxgate.audio.decoder.refusal import open_error
from voxgate.audio.decoder.wav import WavHeader

if TYPE_CHECKING:
    from av.container import InputContainer

    from voxgate.audio.decoder.streamed_file import StreamedFile
    from voxgate.audio.pcm import PcmDeclaration

FORMATS: Final = (
    *("wav", "w64", "aiff", "au", "caf", "voc", "dsf", "nistsphere", "ircam", "iff", "sox", "pvf"),
    *("flac", "wv", "ape", "tta", "tak", "mpc", "mpc8", "shn", "qoa", "osq", "mlp", "truehd"),
    *("mp3", "aac", "ac3", "eac3", "dts", "dtshd", "loas", "latm", "amr", "amrnb", "amrwb", "gsm"),
    *("spx", "qcp", "act", "dss", "oma", "vqf", "xwma"),
    *("ogg", "matroska", "webm", "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "nut"),
    *("avi", "flv", "kux", "asf", "rm", "mxf", "wtv", "mpegts", "mpeg"),
)
"""Demuxers that read one file and open nothing else: no playlist, no concat script, no image list,
no network. FFmpeg refuses any other demuxer that its probe finds."""

LONG_HEAD_BYTES: Final = 1 << 20
"""Bytes of a WAV in which its sound must begin, for the size in the header to be examined."""

DTS: Final = (b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\x00", b"\xff\x1f\x00\xe8")
"""How a frame of DTS begins, in words of 16 or 14 bits in either order: on a DTS CD the samples of
a WAV are such frames."""

HIDDEN_BYTES: Final = 1 << 17
"""Of a WAV's sound, in which FFmpeg looks for the frames of another codec."""

WAV_PACKET_BYTES: Final = 1 << 13
"""Of uncompressed sound at once, of at most a second. FFmpeg's own packets have a fourth of it at
16 kHz, and each costs as much; larger ones take longer until the first."""

OPTIONS: Final = {
    "format_whitelist": ",".join(FORMATS),
    "protocol_whitelist": "none",
    "probesize": str(5 << 20),
}


def open_container(
    file: RegularFile | StreamedFile, name: str, pcm: PcmDeclaration | None, wav: WavHeader | None
) -> InputContainer:
    """Open a file, of which `wav` is the header if it is a WAV. Raises `AudioError`."""
    options, format_name = dict(OPTIONS), None
    if pcm:
        format_name = pcm.encoding
        options["format_whitelist"] = pcm.encoding
        options |= {"sample_rate": str(pcm.rate), "ch_layout": f"{pcm.channels}C"}
    elif wav:
        file = _sound_of_wav(file, wav, options)
    elif isinstance(file, RegularFile):
        file = file.part(0, first_end(file))
    try:
        return av.open(file, "r", format=format_name, options=options, metadata_errors="ignore")
    except av.error.FFmpegError as error:
        raise open_error(file, name) from error


def wav_header(file: RegularFile | StreamedFile, head: bytes) -> WavHeader | None:
    """Return the header of a WAV, of which `head` are the first bytes, or None.

    The sound may begin after a picture or other metadata.
    """
    if header := WavHeader.parse(head):
        return header
    return WavHeader.parse(file.head(LONG_HEAD_BYTES)) if head[8:12] == b"WAVE" else None


def _sound_of_wav(
    file: RegularFile | StreamedFile, wav: WavHeader, options: dict[str, str]
) -> RegularFile | StreamedFile:
    """Return the part of the file with the header and all the sound.

    FFmpeg must not look for chunks after the sound: where digital silence follows, it would
    take each eight zeros for an empty chunk, and read for minutes before the first packet.
    """
    exceeded = isinstance(file, RegularFile) and wav.is_exceeded_by(file)
    if exceeded or wav.end is None:
        options["ignore_length"] = "1"
    if wav.is_w64 or not isinstance(file, RegularFile):
        return file
    sound = file.read_at(wav.start, HIDDEN_BYTES)
    if not any(word in sound for word in DTS):
        # FFmpeg compares the sound with each codec, at every packet, which takes longer than all
        # else until the first frame. The first packet alone shows those that begin with the sound.
        options["max_probe_packets"] = "1"
        if rate := wav.bytes_per_second:
            options["max_size"] = str(max(rate // 10, min(rate, WAV_PACKET_BYTES)))
    end = file.size if exceeded or wav.end is None else wav.end
    return file.part(0, end, seekable=False)
