"""What a file in a folder is, by its name and first bytes: a recording, or why it is not read."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MEDIA_SUFFIXES = {
    *(".aac", ".ac3", ".act", ".adts", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".awb"),
    *(".caf", ".dsf", ".dss", ".dts", ".dtshd", ".eac3", ".f4a", ".flac", ".gsm", ".m4a", ".m4b"),
    *(".m4p", ".m4r", ".mka", ".mlp", ".mp2", ".mp3", ".mpa", ".mpc", ".mpga", ".nist", ".oga"),
    *(".ogg", ".oma", ".opus", ".osq", ".qcp", ".qoa", ".ra", ".shn", ".silk", ".slk", ".snd"),
    *(".sph", ".spx", ".tak", ".thd", ".tta", ".voc", ".vqf", ".w64", ".wav", ".wave", ".weba"),
    *(".wma", ".wv"),
    *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".m2t", ".m2ts", ".m4v", ".mkv"),
    *(".mod", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".ogx"),
    *(".rm", ".rmvb", ".tod", ".ts", ".vob", ".webm", ".wmv", ".wtv"),
}
HEADERLESS_SUFFIXES = {*(".alaw", ".pcm", ".raw", ".s16", ".s16le", ".ulaw")}
"""Used only with --pcm."""

UNREAD = {
    **dict.fromkeys(HEADERLESS_SUFFIXES, "it is headerless: declare it, e.g. --pcm s16le:16000:1"),
    **dict.fromkeys((".m3u", ".m3u8", ".pls", ".cue", ".xspf", ".asx"), "it is a playlist"),
    **dict.fromkeys((".mid", ".midi", ".kar", ".rmi"), "it holds notes, not sound"),
    **dict.fromkeys(
        (".aup", ".aup3", ".sesx", ".rpp", ".als", ".cpr", ".ptx", ".flp"),
        "it is the project of a sound editor: export its sound",
    ),
    **dict.fromkeys((".aax", ".aaxc", ".aa"), "it is an encrypted audiobook"),
    **dict.fromkeys((".ds2", ".msv", ".dvf"), "a dictation machine's own codec is not supported"),
}
"""Suffixes of what looks like sound in a folder and is not read, with the reason."""

SIGNATURES = (
    *(b"OggS", b"fLaC", b"ID3", b"\x1a\x45\xdf\xa3", b"#!AMR", b"caff", b".snd", b"wvpk", b"MAC "),
    *(b"FLV\x01", b"TTA1", b"tBaK", b"MPCK", b"MP+", b"DSD ", b"riff\x2e\x91\xcf\x11"),
    *(b"Creative Voice File", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x00\x00\x01\xba"),
    *(b"NIST_1A", b"ajkg", b"qoaf", b"\x02dss", b".RMF\0", b"#!SILK", b"\x02#!SILK"),
    *(b"\x06\x0e\x2b\x34\x02\x05\x01\x01", b"\xb7\xd8\x00\x20\x37\x49\xda\x11"),
)
RIFF_FORMATS = {
    b"RIFF": (b"WAVE", b"AVI ", b"QLCM"),
    b"RF64": (b"WAVE",),
    b"BW64": (b"WAVE",),
    b"FORM": (b"AIFF", b"AIFC", b"8SVX"),
}
IMAGE_BRANDS = (b"heic", b"heix", b"mif1", b"avif")  # of ISO files without sound
SNIFF_BYTES = 20


def is_recording(path: Path, *, headerless: bool) -> bool:
    """Return whether a file in a folder is a recording, by its name or its first bytes."""
    suffix = path.suffix.lower()
    if headerless:
        return suffix in HEADERLESS_SUFFIXES
    return suffix in MEDIA_SUFFIXES or (suffix not in UNREAD and _is_known_signature(path))


def reason_to_skip(path: Path, *, headerless: bool) -> str | None:
    """Return why a file is not read that looks like sound, or None if it does not look so."""
    suffix = path.suffix.lower()
    if headerless:
        has_header = suffix in MEDIA_SUFFIXES
        return "it has a header: transcribe it without --pcm" if has_header else None
    kind, _ = mimetypes.guess_type(path.name)
    looks_like_sound = kind is not None and kind.startswith(("audio/", "video/"))
    unknown = "its bytes match no container that is read" if looks_like_sound else None
    return UNREAD.get(suffix, unknown)


def _is_known_signature(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(SNIFF_BYTES)
    except OSError:
        return False
    return (
        head.startswith(SIGNATURES)
        or head[8:12] in RIFF_FORMATS.get(head[:4], ())
        or (head[4:8] == b"ftyp" and head[8:12] not in IMAGE_BRANDS)
        or _is_mpeg_frame(head)
    )


def _is_mpeg_frame(head: bytes) -> bool:
    """Return whether an MP2, MP3 or ADTS frame begins here.

    It has 11 bits of sync, then fields of which some values are reserved.
    """
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    if head[1] & 0xF6 == 0xF0:  # ADTS: layer 0; 13 sample rates
        return (head[2] >> 2) & 0xF < 13
    # Layer 1 (0b11) is left out: nobody records it, and UTF-16 text begins with these bits.
    version, layer = (head[1] >> 3) & 3, (head[1] >> 1) & 3
    return version != 1 and layer in {1, 2} and head[2] >> 4 != 0xF and (head[2] >> 2) & 3 != 3
