"""The duration that a header states for the track that is read, its delay included.

Only what the file states counts: FFmpeg guesses where a header states nothing, and a container's
own duration is that of its longest track.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av

from voxgate.audio.decoder.streamed_file import StreamedFile

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

    from voxgate.audio.decoder.file import RegularFile

ISO_MEDIA: Final = "mov,mp4,m4a,3gp,3g2,mj2"
MATROSKA: Final = "matroska,webm"
STATES_DURATION: Final = {"aiff", "au", "flac", "wv", "ape", "tta", "caf", "rm", "mxf", ISO_MEDIA}
"""Formats whose header states each track's duration. WAV has a module of its own."""

MPEG_SAMPLES: Final = {3: 1152, 2: 576, 0: 576}  # of a frame of layer 3, by the version's two bits
XING_FRAMES: Final = 1  # the flag that the number of frames follows
HMS: Final = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def stated_duration(
    container: InputContainer, stream: AudioStream, file: RegularFile | StreamedFile
) -> Fraction | None:
    """Return the duration in seconds, from the file's time zero to the sound's end, or None."""
    name = container.format.name
    if name == "mp3":
        return _mp3_duration(file, stream.codec_context.sample_rate)
    if name == MATROSKA:
        return _matroska_duration(container, stream)
    first_alone = isinstance(file, StreamedFile) and file.has_fragments()  # is what FFmpeg knows
    if name not in STATES_DURATION or first_alone:
        return None
    if name == "caf" and stream.codec_context.name.startswith("pcm"):  # FFmpeg takes the file's end
        return Fraction(stream.frames, stream.codec_context.sample_rate) if stream.frames else None
    if stream.duration is None or stream.time_base is None:
        return container_duration(container)
    return stream.duration * stream.time_base + _delay(stream)


def container_duration(container: InputContainer) -> Fraction | None:
    """Return the duration of the longest track, in seconds."""
    return None if container.duration is None else Fraction(container.duration, av.time_base)


def _delay(stream: AudioStream) -> Fraction:
    return max(Fraction(0), (stream.start_time or 0) * Fraction(stream.time_base or 0))


def _matroska_duration(container: InputContainer, stream: AudioStream) -> Fraction | None:
    """Return what the track's tag states, or the container's duration if it has no other track."""
    if match := HMS.fullmatch(stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = match.groups()
        duration = int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
        # FFmpeg writes the time of the track's end, mkvmerge its length without the delay.
        is_length = any(key.startswith("_STATISTICS") for key in stream.metadata)
        return duration + _delay(stream) if is_length else duration
    return container_duration(container) if len(container.streams) == 1 else None


def _mp3_duration(file: RegularFile | StreamedFile, rate: int) -> Fraction | None:
    """Return the duration that an MP3's first frame states in the place of sound.

    The position of the tag is after the frame's side information, whose size depends on version
    and channels: http://gabriel.mp3-tech.org/mp3infotag.html. For VBRI it is 36.
    """
    head = file.head(10)
    start = 0
    if head[:3] == b"ID3":  # the tag's size is in four bytes of seven bits each
        bits = head[6:10]
        start = 10 + (bits[0] << 21 | bits[1] << 14 | bits[2] << 7 | bits[3])
    frame = file.read_at(start, 60)
    for at in (13, 21, 36):
        kind, tag = frame[at : at + 4], frame[at + 4 :]
        if kind in {b"Xing", b"Info"} and tag[3] & XING_FRAMES:
            frames = int.from_bytes(tag[4:8], "big")
        elif kind == b"VBRI":
            frames = int.from_bytes(tag[10:14], "big")
        else:
            continue
        samples = MPEG_SAMPLES.get(frame[1] >> 3 & 3)
        return Fraction(frames * samples, rate) if frames and samples and rate else None
    return None
