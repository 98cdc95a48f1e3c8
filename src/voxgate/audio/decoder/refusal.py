"""Why nothing in a file can be decoded, in one sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from voxgate.errors import AudioError

if TYPE_CHECKING:
    from voxgate.audio.decoder.container import Container
    from voxgate.audio.decoder.file import RegularFile
    from voxgate.audio.decoder.streamed_file import StreamedFile

HEAD_BYTES: Final = 4096

SILK: Final = (b"#!SILK", b"\x02#!SILK")  # the second as WeChat writes it, in .amr and .slk
WEBM_PIECE: Final = re.compile(rb"\x1f\x43\xb6\x75|\xa3(?:[\x81-\xff]|[\x40-\x7f].)\x81", re.DOTALL)
"""A cluster, or a block of the first track, without the header before it."""

MP4_PIECES: Final = {b"moof", b"styp", b"sidx"}
MP4_BOXES: Final = {b"ftyp", b"mdat"}
HEADERS: Final = {
    b"RIFF",
    b"OggS",
    b"fLaC",
    b"\x1aE\xdf\xa3",
    b"FORM",
    b"caff",
    b"TTA1",
    b".RMF",
    b"\xb7\xd8\0\x20",
}
PLAYLISTS: Final = (b"#EXTM3U", b"ffconcat", b"[playlist]")

ENCRYPTED_TRACKS: Final = (b"enca", b"drms", b"aavd")  # of MP4: DASH, iTunes, Audible
MATROSKA_AES: Final = b"\x47\xe1\x81\x05"
ASF_PROTECTION: Final = b"\xfb\xb3\x11\x22\x23\xbd\xd2\x11\xb4\xb7\x00\xa0\xc9\x55\xfc\x6e"


def open_error(file: RegularFile | StreamedFile, name: str) -> AudioError:
    """Return the error for a file in which FFmpeg finds no container."""
    head = file.head(HEAD_BYTES)
    if head.startswith(SILK):
        return AudioError(
            f"{name} is in Silk, the codec of WeChat's and QQ's voice messages, which is not "
            f"supported. Convert it to WAV first (with silk-v3-decoder).",
            code="not_audio",
        )
    if is_later_piece(head):
        return later_piece_error(name)
    if head[4:8] in MP4_BOXES:
        return _mp4_error(file, name)
    if head[:4] in HEADERS:
        return AudioError(
            f"{name} starts like a recording, but its header is damaged or cut off. Copy or "
            f"download it again.",
            code="truncated_audio",
        )
    return AudioError(
        f"{name} is not a recording in a supported format: {_describe(head)}. Supported are WAV, "
        f"MP3, FLAC, M4A, Ogg, Opus, WebM, MP4, MKV, AMR and others; headerless PCM must be "
        f"declared as such (e.g. s16le:16000:1).",
        code="not_audio",
    )


def no_sound_error(container: Container) -> AudioError:
    """Return the error for a container of which no frame could be decoded."""
    name, facts = container.name, container.facts
    if container.encrypted_packets or is_encrypted(container.file):
        return encrypted_error(name)
    if container.damaged_packets:
        return AudioError(
            f"Nothing in {name} can be decoded: all of its {facts.codec} packets are damaged. Copy "
            f"or download it again.",
            code="empty_audio",
        )
    return AudioError(
        f"{name} contains no sound: its {facts.container} header is valid, but no samples follow "
        f"it. Was the recording stopped immediately?",
        code="empty_audio",
    )


def is_later_piece(head: bytes) -> bool:
    """Return whether a file begins in the middle of a recording that a browser made in pieces."""
    is_ogg_piece = head[:4] == b"OggS" and len(head) > 5 and not head[5] & 2
    return bool(WEBM_PIECE.match(head)) or head[4:8] in MP4_PIECES or is_ogg_piece


def later_piece_error(name: str) -> AudioError:
    """Return the error for such a piece."""
    return AudioError(
        f"{name} is a later piece of a recording: the beginning with its header is missing. Join "
        f"all pieces in their order to one file, and transcribe that.",
        code="truncated_audio",
    )


def is_encrypted(file: RegularFile | StreamedFile) -> bool:
    """Return whether a header says that the sound is encrypted."""
    head = file.head(HEAD_BYTES)
    if head[4:8] == b"ftyp":
        return any(file.find(b"\0" + kind, 0) is not None for kind in ENCRYPTED_TRACKS)
    return MATROSKA_AES in head or ASF_PROTECTION in head


def encrypted_error(name: str) -> AudioError:
    """Return the error for encrypted sound."""
    return AudioError(
        f"{name} is encrypted (copy protection), so nothing in it can be decoded. Play it in the "
        f"program that it was bought for, or get it without protection.",
        code="not_audio",
    )


def _mp4_error(file: RegularFile | StreamedFile, name: str) -> AudioError:
    if file.find(b"moov", 0) is not None:
        return AudioError(
            f"{name} is an MP4 whose index is damaged, so nothing in it can be decoded. Copy or "
            f"download it again.",
            code="truncated_audio",
        )
    return AudioError(
        f"{name} is cut off before its index (an MP4 without its 'moov' box), so nothing in it can "
        f"be decoded. Copy or download it again.",
        code="truncated_audio",
    )


def _describe(head: bytes) -> str:
    if head.lstrip().startswith(PLAYLISTS):
        return "it is a playlist (transcribe the recordings in it instead)"
    unknown = "its bytes match no known container"
    try:
        head[:512].decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        if error.start < 500:  # a later error may be a character that is cut at byte 512
            return unknown
    return unknown if b"\0" in head[:512] else "it is text"
