"""Resolve the arguments (files, folders, addresses, standard input) to a list of recordings."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from voxgate.audio.recording_folder import UnreadFile, search_folder
from voxgate.errors import AudioError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from voxgate.errors import VoxgateError

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InputRecording:
    """One recording to transcribe."""

    source: Path | IO[bytes] | str  # a text is an address, which is fetched in its turn
    name: str  # in messages
    relative_path: Path  # in an output folder: "note.mp3", or "monday/note.mp3" from a folder
    sha256: str | None = None  # of a recording that was fetched


class Inputs(NamedTuple):
    """The recordings in order, each once, and what is none."""

    recordings: list[InputRecording]
    failures: list[VoxgateError]
    unread: list[str]  # a sentence for each file in a folder that looks like sound and is not read


def collect_inputs(arguments: Iterable[str], *, headerless: bool, recursive: bool = True) -> Inputs:
    """Return the recordings, the errors of the other arguments, and the files that are not read.

    With `headerless` (--pcm) folders are searched for raw files, without `recursive` not below
    themselves. Raises `UsageError` for an empty name, for an address that is none or belongs to a
    page, and for standard input given twice.
    """
    found: dict[tuple[str, Path], InputRecording] = {}
    failures: list[VoxgateError] = []
    unread: dict[Path, str] = {}
    for argument in arguments:
        for item in _expand(argument, headerless, recursive):
            if isinstance(item, UnreadFile):
                unread[item.path] = f"{item.path} was not read: {item.reason}."
            elif not isinstance(item, InputRecording):
                failures.append(item)
            elif isinstance(item.source, Path):
                found.setdefault((os.path.realpath(item.source), item.relative_path), item)
            elif isinstance(item.source, str):
                found.setdefault((item.source, item.relative_path), item)
            elif ("-", item.relative_path) in found:
                raise UsageError("Standard input can be read once: give '-' once.")
            else:
                found["-", item.relative_path] = item
    return Inputs(list(found.values()), failures, list(unread.values()))


def _expand(
    argument: str, headerless: bool, recursive: bool
) -> Iterator[InputRecording | UnreadFile | AudioError]:
    if not argument:
        raise UsageError("A recording's name is empty. Was a variable not set?")
    path = Path(argument)
    if ADDRESS.match(argument):
        yield _at_address(argument)
    elif argument == "-":
        yield _standard_input()
    elif os.path.isdir(path):  # noqa: PTH112 (a name may be too long)
        yield from _search_folder(path, headerless=headerless, recursive=recursive)
    else:
        yield InputRecording(path, argument, Path(path.name))


def _at_address(text: str) -> InputRecording:
    from voxgate.remote.recording_url import RecordingUrl  # noqa: PLC0415 (it needs httpx2)

    url = RecordingUrl.parse(text)
    name = url.file_name or url.host  # until it is fetched
    return InputRecording(str(url), name, Path(name))


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
    folder: Path, *, headerless: bool, recursive: bool
) -> Iterator[InputRecording | UnreadFile | AudioError]:
    """Yield what is in a folder; an error where that is no recording."""
    empty = True
    for found in search_folder(folder, headerless=headerless, recursive=recursive):
        empty = empty and isinstance(found, UnreadFile)
        if isinstance(found, Path):
            yield InputRecording(found, str(found), found.relative_to(folder))
        elif isinstance(found, OSError):
            yield AudioError(
                f"The folder {found.filename} cannot be read ({found.strerror}). Give its user "
                f"read permission (chmod u+rx).",
                code="unreadable_audio",
            )
        else:
            yield found
    if empty:
        yield AudioError(
            f"The folder {folder} holds no recordings, judging by names and first bytes. Name a "
            f"file to have it decoded whatever it looks like.",
            code="unreadable_audio",
        )
