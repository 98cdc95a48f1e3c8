"""What the arguments mean: files, folders and standard input, as recordings in order."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from voxgate.errors import UnreadableSourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from voxgate.errors import VoxgateError

MEDIA = {
    *(".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".awb", ".caf", ".dsf"),
    *(".dts", ".eac3", ".flac", ".gsm", ".m4a", ".m4b", ".mka", ".mp2", ".mp3", ".mpc", ".oga"),
    *(".ogg", ".opus", ".snd", ".spx", ".tak", ".tta", ".voc", ".w64", ".wav", ".wave", ".weba"),
    *(".wma", ".wv"),
    *(".3g2", ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
}
HEADERLESS_SUFFIXES = {
    ".alaw",
    ".pcm",
    ".raw",
    ".s16",
    ".s16le",
    ".ulaw",
}  # only where PCM was declared

HEADS = (
    *(b"OggS", b"fLaC", b"ID3", b"\x1a\x45\xdf\xa3", b"#!AMR", b"caff", b".snd", b"wvpk", b"MAC "),
    *(b"FLV\x01", b"TTA1", b"tBaK", b"MPCK", b"MP+", b"DSD ", b"riff\x2e\x91\xcf\x11"),
    *(b"Creative Voice File", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x00\x00\x01\xba"),
)
RIFFS = {b"RIFF": (b"WAVE", b"AVI "), b"RF64": (b"WAVE",), b"FORM": (b"AIFF", b"AIFC")}
PICTURES = (b"heic", b"heix", b"mif1", b"avif")  # brands of ISO files that hold no sound
SNIFF_BYTES = 20


@dataclass(frozen=True, slots=True)
class InputRecording:
    """One recording to transcribe."""

    given: Path | BinaryIO
    name: str  # what messages call it
    place: Path  # below an output folder: "note.mp3", or "monday/note.mp3" from within a folder


def collect_inputs(
    arguments: Iterable[str], *, headerless: bool
) -> tuple[list[InputRecording], list[VoxgateError]]:
    """The recordings that the arguments name, in order, each once; and what names none.

    `headerless` says that PCM was declared: then it is raw files that count in a folder. Raises
    `UsageError` for an empty name, and for standard input given twice.
    """
    found: dict[tuple[str, Path], InputRecording] = {}
    failures: list[VoxgateError] = []
    for argument in arguments:
        for item in _expand(argument, headerless):
            if not isinstance(item, InputRecording):
                failures.append(item)
            elif isinstance(item.given, Path):
                found.setdefault((os.path.realpath(item.given), item.place), item)
            elif ("-", item.place) in found:
                raise UsageError("Standard input can be read once: give '-' once.")
            else:
                found["-", item.place] = item
    return list(found.values()), failures


def _expand(argument: str, headerless: bool) -> Iterator[InputRecording | UnreadableSourceError]:
    if not argument:
        raise UsageError("A recording's name is empty. Was a variable not set?")
    path = Path(argument)
    if argument == "-":
        yield _standard_input()
    elif path.is_dir():
        yield from _folder(path, HEADERLESS_SUFFIXES if headerless else MEDIA, sniff=not headerless)
    else:
        yield InputRecording(path, argument, Path(path.name))


def _standard_input() -> InputRecording | UnreadableSourceError:
    stdin: TextIO | None = sys.stdin
    if stdin is None:
        return UnreadableSourceError("standard input is closed. Pipe a recording into it.")
    if stdin.isatty():
        return UnreadableSourceError("standard input is a terminal. Pipe a recording into it.")
    return InputRecording(stdin.buffer, "standard input", Path("stdin"))


def _folder(
    folder: Path, extensions: set[str], *, sniff: bool
) -> Iterator[InputRecording | UnreadableSourceError]:
    """Recordings at any depth, by name. Links to folders are not followed: they may go round."""
    unreadable: list[OSError] = []
    count = 0
    for at, folders, files in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(at, name) for name in sorted(files) if not name.startswith(".")):
            if path.is_file() and (
                path.suffix.lower() in extensions or (sniff and _head_is_known(path))
            ):
                count += 1
                yield InputRecording(path, str(path), path.relative_to(folder))
    for error in unreadable:
        yield UnreadableSourceError(
            f"The folder {error.filename} cannot be read ({error.strerror}). Give its user read "
            f"permission (chmod u+rx)."
        )
    if not count and not unreadable:
        yield UnreadableSourceError(
            f"The folder {folder} holds no recordings, as far as names and first bytes tell. "
            f"Name a file to have it tried whatever it looks like."
        )


def _head_is_known(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(SNIFF_BYTES)
    except OSError:
        return False
    return (
        head.startswith(HEADS)
        or head[8:12] in RIFFS.get(head[:4], ())
        or (head[4:8] == b"ftyp" and head[8:12] not in PICTURES)
        or _is_mpeg_frame(head)
    )


def _is_mpeg_frame(head: bytes) -> bool:
    """An MP2, MP3 or ADTS frame: 11 bits of sync, then fields with some values left out."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    if head[1] & 0xF6 == 0xF0:  # ADTS: layer 0; 13 sample rates
        return (head[2] >> 2) & 0xF < 13
    # Layer 1 (0b11) is nobody's recording, and UTF-16 text begins so.
    version, layer = (head[1] >> 3) & 3, (head[1] >> 1) & 3
    return version != 1 and layer in {1, 2} and head[2] >> 4 != 0xF and (head[2] >> 2) & 3 != 3
