"""Write transcripts to standard output, or to one file per recording and format in a folder."""

from __future__ import annotations

import asyncio
import errno
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Protocol

from voxgate.cli.streams import (
    has_terminal,
    print_message,
    printable,
    standard_output,
    write_output,
)
from voxgate.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.cli.inputs import InputRecording
    from voxgate.transcript.formats import Writer
    from voxgate.transcript.values import Transcript


PERSISTENT_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # the next file would fail as well
WRITE_ADVICE = {
    errno.ENOSPC: "Free some space there",
    errno.EDQUOT: "Free some space there",
    errno.EACCES: "Give this user write permission",
    errno.EPERM: "Give this user write permission",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.EISDIR: "Move away what has its name",
    errno.EEXIST: "Move away what has its name",
    errno.ENOTDIR: "Move away what has its name",
}


class UnwritableError(OutputError):
    """One recording's transcript cannot be written; those of others may be."""


class Output(Protocol):
    """The destination of finished transcripts."""

    async def write(self, recording: InputRecording, transcript: Transcript) -> None:
        """Write a transcript.

        Raises `UnwritableError`, or `OutputError` if no other could be written either.
        """


class StandardOutput:
    """One transcript as it is, or several under their names, as head(1) prints files.

    Raises `UsageError` for formats that cannot be concatenated, and `OutputError` when standard
    output is closed.
    """

    def __init__(self, writers: Sequence[Writer], recordings: Sequence[InputRecording]) -> None:
        self._several = len(recordings) > 1
        self._writer, self._has_written = writers[0], False
        if len(writers) > 1:
            raise UsageError("Several formats need a folder to be written to: add -o DIR.")
        if self._several and self._writer.name != "txt":
            raise UsageError(
                f"Several recordings as {self._writer.name} need a folder to be written to: "
                f"add -o DIR."
            )
        standard_output()  # raises if it is closed, before hours of work

    async def write(self, recording: InputRecording, transcript: Transcript) -> None:
        """Write in a thread, so that a reader that stopped reading does not block Ctrl-C."""
        text = self._writer.write(transcript)
        if self._several:
            gap = "\n" if self._has_written else ""
            text = f"{gap}==> {printable(recording.name)} <==\n{text}"
        self._has_written = True
        await asyncio.to_thread(write_output, text)


class OutputFolder:
    """Files in a folder, each written completely or not at all.

    The constructor raises `OutputError` for a folder that cannot be written, and `UsageError` for
    recordings with the same output.
    """

    def __init__(
        self, folder: Path, writers: Sequence[Writer], recordings: Sequence[InputRecording]
    ) -> None:
        self._folder, self._writers = folder, writers
        self._bases = _bases(folder, writers, recordings)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(_sentence(f"The folder {folder} cannot be made", error)) from error
        try:
            _test_write(folder)
        except OSError as error:
            raise OutputError(_sentence(f"Nothing can be written to {folder}", error)) from error

    async def write(self, recording: InputRecording, transcript: Transcript) -> None:
        """Write every format, replacing files of earlier runs."""
        for writer in self._writers:
            path = _path(self._bases[recording.relative_path], writer)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                _replace(path, writer.write(transcript).encode())
            except OSError as error:
                kind = UnwritableError if self._can_write_others(error) else OutputError
                raise kind(_sentence(f"{path} cannot be written", error)) from error
            if has_terminal():
                print_message(f"wrote {path}")

    def _can_write_others(self, failure: OSError) -> bool:
        try:
            _test_write(self._folder)
        except OSError:
            return False
        return failure.errno not in PERSISTENT_ERRORS


def _bases(
    folder: Path, writers: Sequence[Writer], recordings: Sequence[InputRecording]
) -> dict[Path, Path]:
    """Return each recording's output path without the format's extension.

    That is the stem, or the full name if the stem collides with another output or an input.
    """
    bases = {
        recording.relative_path: folder / recording.relative_path.with_suffix("")
        for recording in recordings
    }
    sources = [recording.source for recording in recordings if isinstance(recording.source, Path)]
    inputs = {os.path.realpath(path) for path in sources}
    while True:
        paths = {key: [_path(base, w) for w in writers] for key, base in bases.items()}
        counts = Counter(path for some in paths.values() for path in some)
        clashing = [
            key
            for key, some in paths.items()
            if any(counts[path] > 1 or os.path.realpath(path) in inputs for path in some)
        ]
        promoted = [key for key in clashing if bases[key] != folder / key]
        if not promoted:
            break
        bases |= {key: folder / key for key in promoted}
    if len(bases) < len(recordings) or clashing:
        raise UsageError(
            f"Two recordings of the same name cannot both be written to {folder}, nor a transcript "
            f"over its recording. Use two calls with two folders, or name the folder above them."
        )
    return bases


def _path(base: Path, writer: Writer) -> Path:
    return base.with_name(base.name + writer.extension)


def _sentence(what: str, error: OSError) -> str:
    advice = WRITE_ADVICE.get(error.errno or 0)
    another = "or name another folder with -o" if advice else "Name another folder with -o"
    return f"{what}: {error.strerror}. {', '.join(filter(None, (advice, another)))}."


def _test_write(folder: Path) -> None:
    with TemporaryFile(dir=folder, prefix=".voxgate-"):
        pass


def _replace(path: Path, content: bytes) -> None:
    """Write a file beside `path`, then rename it, so that nobody reads half a transcript."""
    beside = path.with_name(f".voxgate-{token_hex(8)}.part")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
