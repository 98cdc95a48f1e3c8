"""Resolve the arguments (files, folders, standard input) to a list of recordings."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from voxgate.errors import AudioError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from voxgate.errors import VoxgateError

MEDIA_SUFFIXES = {
    *(".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".awb", ".caf", ".dsf"),
    *(".dts", ".eac3", ".flac", ".gsm", ".m4a", ".m4b", ".mka", ".mp2", ".mp3", ".mpc", ".oga"),
    *(".ogg", ".opus", ".snd", ".spx", ".tak", ".tta", ".voc", ".w64", ".wav", ".wave", ".weba"),
    *(".wma", ".wv"),
    *(".3g2", ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
}
HEADERLESS_SUFFIXES = {*(".alaw", ".pcm", ".raw", ".s16", ".s16le", ".ulaw")}
"""Used only with --pcm."""

SIGNATURES = (
    *(b"OggS", b"fLaC", b"ID3", b"\x1a\x45\xdf\xa3", b"#!AMR", b"caff", b".snd", b"wvpk", b"MAC "),
    *(b"FLV\x01", b"TTA1", b"tBaK", b"MPCK", b"MP+", b"DSD ", b"riff\x2e\x91\xcf\x11"),
    *(b"Creative Voice File", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x00\x00\x01\xba"),
)
RIFF_FORMATS = {b"RIFF": (b"WAVE", b"AVI "), b"RF64": (b"WAVE",), b"FORM": (b"AIFF", b"AIFC")}
IMAGE_BRANDS = (b"heic", b"heix", b"mif1", b"avif")  # of ISO files without sound
SNIFF_BYTES = 20
ADDRESS = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InputRecording:
    """One recording to transcribe."""

    source: Path | BinaryIO
    name: str  # in messages
    relative_path: Path  # in an output folder: "note.mp3", or "monday/note.mp3" from a folder


def collect_inputs(
    arguments: Iterable[str], *, headerless: bool, recursive: bool = True
) -> tuple[list[InputRecording], list[VoxgateError]]:
    """Return the recordings in order, each once, and the errors of the other arguments.

    With `headerless` (--pcm) folders are searched for raw files, without `recursive` not below
    themselves. Raises `UsageError` for an empty
    name, for an address, and for standard input given twice.
    """
    found: dict[tuple[str, Path], InputRecording] = {}
    failures: list[VoxgateError] = []
    for argument in arguments:
        for item in _expand(argument, headerless, recursive):
            if not isinstance(item, InputRecording):
                failures.append(item)
            elif isinstance(item.source, Path):
                found.setdefault((os.path.realpath(item.source), item.relative_path), item)
            elif ("-", item.relative_path) in found:
                raise UsageError("Standard input can be read once: give '-' once.")
            else:
                found["-", item.relative_path] = item
    return list(found.values()), failures


def _expand(
    argument: str, headerless: bool, recursive: bool
) -> Iterator[InputRecording | AudioError]:
    if not argument:
        raise UsageError("A recording's name is empty. Was a variable not set?")
    if ADDRESS.match(argument):
        raise UsageError(
            f"voxgate transcribe reads files and pipes, not addresses. Type: "
            f"curl -fL {shlex.quote(argument)} | voxgate transcribe -"
        )
    path = Path(argument)
    if argument == "-":
        yield _standard_input()
    elif path.is_dir():
        yield from _search_folder(
            path,
            HEADERLESS_SUFFIXES if headerless else MEDIA_SUFFIXES,
            sniff=not headerless,
            recursive=recursive,
        )
    else:
        yield InputRecording(path, argument, Path(path.name))


def _standard_input() -> InputRecording | AudioError:
    stdin: TextIO | None = sys.stdin
    if stdin is None:
        return AudioError(
            "standard input is closed. Pipe a recording into it.", code="unreadable_audio"
        )
    if stdin.isatty():
        return AudioError(
            "standard input is a terminal. Pipe a recording into it.", code="unreadable_audio"
        )
    return InputRecording(stdin.buffer, "standard input", Path("stdin"))


def _search_folder(
    folder: Path, extensions: set[str], *, sniff: bool, recursive: bool
) -> Iterator[InputRecording | AudioError]:
    """Yield the recordings by name, at any depth if it is `recursive`.

    Links to folders are not followed, since they may form a loop.
    """
    unreadable: list[OSError] = []
    count = 0
    for at, folders, files in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        for path in (Path(at, name) for name in sorted(files) if not name.startswith(".")):
            if path.is_file() and (
                path.suffix.lower() in extensions or (sniff and _is_known_signature(path))
            ):
                count += 1
                yield InputRecording(path, str(path), path.relative_to(folder))
    for error in unreadable:
        yield AudioError(
            f"The folder {error.filename} cannot be read ({error.strerror}). Give its user read "
            f"permission (chmod u+rx).",
            code="unreadable_audio",
        )
    if not count and not unreadable:
        yield AudioError(
            f"The folder {folder} holds no recordings, judging by names and first bytes. Name a "
            f"file to have it decoded whatever it looks like.",
            code="unreadable_audio",
        )


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
