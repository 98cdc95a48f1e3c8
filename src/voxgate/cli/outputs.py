"""Where transcripts go: standard output, or one file a recording and format in a folder."""

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

from voxgate.cli.streams import emit, has_terminal, printable, say, standard_output
from voxgate.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.cli.inputs import InputRecording
    from voxgate.transcript.formats import Writer
    from voxgate.transcript.values import Transcript


EVERYWHERE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # what the next file would meet as well
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
    """One recording's transcript cannot be written; those of others may."""


class Output(Protocol):
    """What takes finished transcripts, in order."""

    async def put(self, recording: InputRecording, transcript: Transcript) -> None:
        """Write it. Raises `UnwritableError`, and `OutputError` when no other could be either."""


class StandardOutput:
    """One transcript bare; of several, each under its name, as head(1) does it.

    Raises `UsageError` for what would run together, `OutputError` when it is closed.
    """

    def __init__(self, writers: Sequence[Writer], recordings: Sequence[InputRecording]) -> None:
        self._several = len(recordings) > 1
        self._writer, self._begun = writers[0], False
        if len(writers) > 1:
            raise UsageError("Several formats need a folder to be written to: add -o DIR.")
        if self._several and self._writer.name != "txt":
            raise UsageError(
                f"Several recordings as {self._writer.name} need a folder to be written to: "
                f"add -o DIR."
            )
        standard_output()  # that it is closed is said before hours of work

    async def put(self, recording: InputRecording, transcript: Transcript) -> None:
        """Write it in a thread: a reader that has stopped reading must not stop Ctrl-C."""
        text = self._writer.write(transcript)
        if self._several:
            gap = "\n" if self._begun else ""
            text = f"{gap}==> {printable(recording.name)} <==\n{text}"
        self._begun = True
        await asyncio.to_thread(emit, text)


class OutputFolder:
    """Files in a folder, complete or not there. Raises `OutputError` and `UsageError` at once."""

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
            _try(folder)
        except OSError as error:
            raise OutputError(_sentence(f"Nothing can be written to {folder}", error)) from error

    async def put(self, recording: InputRecording, transcript: Transcript) -> None:
        """Write every format, replacing what an earlier run has written."""
        for writer in self._writers:
            path = _path(self._bases[recording.place], writer)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                _replace(path, writer.write(transcript).encode())
            except OSError as error:
                kind = UnwritableError if self._takes_others(error) else OutputError
                raise kind(_sentence(f"{path} cannot be written", error)) from error
            if has_terminal():
                say(f"wrote {path}")

    def _takes_others(self, failure: OSError) -> bool:
        try:
            _try(self._folder)
        except OSError:
            return False
        return failure.errno not in EVERYWHERE


def _bases(
    folder: Path, writers: Sequence[Writer], recordings: Sequence[InputRecording]
) -> dict[Path, Path]:
    """Each recording's output without the format's extension.

    That is the stem, or the full name where a stem would meet another output or an input.
    """
    bases = {recording.place: folder / recording.place.with_suffix("") for recording in recordings}
    given = [recording.given for recording in recordings if isinstance(recording.given, Path)]
    inputs = {os.path.realpath(path) for path in given}
    while True:
        paths = {place: [_path(base, w) for w in writers] for place, base in bases.items()}
        counts = Counter(path for some in paths.values() for path in some)
        clashing = [
            place
            for place, some in paths.items()
            if any(counts[path] > 1 or os.path.realpath(path) in inputs for path in some)
        ]
        promoted = [place for place in clashing if bases[place] != folder / place]
        if not promoted:
            break
        bases |= {place: folder / place for place in promoted}
    _refuse(len(bases) < len(recordings) or bool(clashing), folder)
    return bases


def _refuse(clash: bool, folder: Path) -> None:
    if clash:
        raise UsageError(
            f"Two recordings of the same name cannot both be written to {folder}, nor a transcript "
            f"over its recording. Use two calls with two folders, or name the folder above them."
        )


def _path(base: Path, writer: Writer) -> Path:
    return base.with_name(base.name + writer.extension)


def _sentence(what: str, error: OSError) -> str:
    advice = WRITE_ADVICE.get(error.errno or 0)
    another = "or name another folder with -o" if advice else "Name another folder with -o"
    return f"{what}: {error.strerror}. {', '.join(filter(None, (advice, another)))}."


def _try(folder: Path) -> None:
    with TemporaryFile(dir=folder, prefix=".voxgate-"):
        pass


def _replace(path: Path, content: bytes) -> None:
    """Write beside `path`, then take its place: nobody ever sees half a transcript."""
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
