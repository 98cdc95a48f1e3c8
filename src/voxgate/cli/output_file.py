"""`OutputFile`: the transcript of one recording, in the file that -o names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.cli.file_writing import check_writable, replace_file, writing_failure
from voxgate.cli.output_names import real_paths
from voxgate.cli.streams import has_terminal, print_message
from voxgate.errors import OutputError, UsageError
from voxgate.transcript.formats import WRITERS, find_writers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.cli.inputs import InputRecording
    from voxgate.transcript.formats import Writer
    from voxgate.transcript.values import Transcript


def names_file(output: str) -> bool:
    """Return whether -o names a file: it ends as a format does, and is no folder."""
    return _format_of(output) is not None and not os.path.isdir(output)  # noqa: PTH112 (it has no slash)


def file_writers(output: str, formats: Sequence[str]) -> list[Writer]:
    """Return the one format of a file: that of its ending, unless another JSON is named.

    Raises `UsageError` for several formats, or for one that has another ending.
    """
    ending = _format_of(output)
    writers = find_writers(formats or [str(ending)])
    if len(writers) == 1 and writers[0].extension.endswith(Path(output).suffix.lower()):
        return writers
    named = ",".join(writer.name for writer in writers)
    raise UsageError(
        f"{output} is one file, of the format {ending}, and -f names {named}. Leave out -f, or "
        f"name a folder: -f {named} -o DIR."
    )


class OutputFile:
    """One file, written completely or not at all. Folders above it are created.

    The constructor raises `UsageError` for several recordings, or for the recording itself, and
    `OutputError` where nothing can be written.
    """

    def __init__(
        self,
        path: Path,
        writer: Writer,
        recordings: Sequence[InputRecording],
        *,
        overwrite: bool = False,
    ) -> None:
        self._path, self._writer, self._overwrite = path, writer, overwrite
        if len(recordings) > 1:
            raise UsageError(
                f"{path} is one file, and there are {len(recordings)} recordings. Name a folder, "
                f"which gets a file for each: -f {writer.name} -o DIR."
            )
        if os.path.realpath(path) in real_paths(recordings):
            raise UsageError(f"{path} is the recording. Name another file with -o.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            check_writable(path.parent)
        except OSError as error:
            raise OutputError(writing_failure(f"{path} cannot be written", error)) from error

    def existing(self) -> list[Path]:
        """Return the file, if it is there and this run may replace it."""
        return [self._path] if self._path.exists() else []

    async def wants(self, recording: InputRecording) -> bool:  # noqa: ARG002 (of the protocol)
        """Return True."""
        return True

    async def write(self, recording: InputRecording, transcript: Transcript) -> None:  # noqa: ARG002 (of the protocol)
        """Write the file, in place of one that is there."""
        try:
            replaced = replace_file(self._path, self._writer.write(transcript).encode())
        except OSError as error:
            raise OutputError(writing_failure(f"{self._path} cannot be written", error)) from error
        if has_terminal():
            print_message(f"wrote {self._path}")
        elif replaced and not self._overwrite:
            print_message(f"replaced {self._path}, which was there already.")


def _format_of(output: str) -> str | None:
    """Return the format whose ending a path has; None for another one, or for a folder `x.txt/`."""
    name = output.rpartition(os.sep)[2].lower()
    found = [
        writer
        for writer in WRITERS.values()
        if name.endswith(writer.extension) and name != writer.extension
    ]
    return max(found, key=lambda writer: len(writer.extension)).name if found else None
