"""`OutputFolder`: one file per recording and format, and what is there already."""

from __future__ import annotations

import asyncio
import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.cli.file_writing import check_writable, replace_file, writing_failure
from voxgate.cli.output_file import names_file
from voxgate.cli.output_names import choose_bases, real_paths, transcript_path
from voxgate.cli.outputs import UnwritableError
from voxgate.cli.source_log import SourceLog, hash_recording
from voxgate.cli.streams import has_terminal, print_message
from voxgate.errors import OutputError, UsageError
from voxgate.transcript.formats.json import languages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.cli.inputs import InputRecording
    from voxgate.transcript.formats import Writer
    from voxgate.transcript.values import Transcript


UNKNOWN_LANGUAGE = "und"  # ISO 639-2, in names of files: players know it
PERSISTENT_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # the next file would fail as well

NAMED_LANGUAGE = r"(\.[a-z]{2,3}([-_.][A-Za-z0-9]+)*)?"
"""What others put before a transcript's extension: nothing, `.en`, `.pt-BR` or `.en.sdh`."""


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """What becomes of the transcripts that are in the folder, and how new ones are called.

    With `skip_existing` a recording is left out whose transcripts exist in every format, unless the
    folder's log says that they were written from other bytes. With `name_language` the language of
    the text is a part of each name: `film.en.srt`. Raises `UsageError` for a contradiction.
    """

    skip_existing: bool = False
    overwrite: bool = False  # nobody is asked
    name_language: bool = False

    def __post_init__(self) -> None:
        if self.skip_existing and self.overwrite:
            raise UsageError("--skip-existing keeps what --overwrite replaces: leave out one.")

    def check_output(self, output: str | None) -> None:
        """Raise `UsageError` for an option that has no effect on what -o names, or without it."""
        for name in ("skip_existing", "overwrite", "name_language"):
            if output is None and getattr(self, name):
                raise UsageError(f"--{name.replace('_', '-')} is for a folder: add -o DIR.")
        for name in ("skip_existing", "name_language"):
            if output is not None and names_file(output) and getattr(self, name):
                raise UsageError(
                    f"--{name.replace('_', '-')} is for a folder, and {output} is a file: name a "
                    f"folder with -o."
                )


class OutputFolder:
    """Files in a folder, each written completely or not at all.

    The constructor raises `OutputError` for a folder that cannot be written, and `UsageError` for
    recordings with the same output.
    """

    def __init__(
        self,
        folder: Path,
        writers: Sequence[Writer],
        recordings: Sequence[InputRecording],
        options: FolderOptions = FolderOptions(),
        *,
        keeps_unasked: bool = False,
    ) -> None:
        """`keeps_unasked` means that nothing is replaced but what `existing` returned.

        Transcripts of recordings with an address are not among that: their names come with them.
        """
        self._folder, self._writers, self._options = folder, writers, options
        self._keeps_unasked = keeps_unasked
        local = [each for each in recordings if not isinstance(each.source, str)]
        self._bases = choose_bases(folder, writers, local)
        self._inputs = real_paths(recordings)
        self._hashes = dict[Path, str | None]()  # of the recordings that are being transcribed
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                writing_failure(f"The folder {folder} cannot be made", error)
            ) from error
        try:
            check_writable(folder)
            self._log = SourceLog(folder)
        except OSError as error:
            raise OutputError(
                writing_failure(f"Nothing can be written to {folder}", error)
            ) from error

    def existing(self) -> list[Path]:
        """Return the transcripts of earlier runs that this one may replace."""
        return [
            path
            for base in self._bases.values()
            for writer in self._writers
            for path in self._existing(base, writer)
        ]

    async def wants(self, recording: InputRecording) -> bool:
        """Hash the recording, and return False if its transcripts are there and of these bytes.

        Raises `UnwritableError` for one that was fetched, and whose name another one has.
        """
        sha256 = recording.sha256
        if sha256 is not None:
            self._add(recording)
        elif not isinstance(recording.source, Path):
            return True
        else:
            try:
                sha256 = await asyncio.to_thread(hash_recording, recording.source)
            except OSError:
                return True  # whoever transcribes it says why it cannot be read
        self._hashes[recording.relative_path] = sha256
        return not all(self._keeps(recording, writer, sha256) for writer in self._writers)

    async def write(self, recording: InputRecording, transcript: Transcript) -> None:
        """Write every format, replacing files of earlier runs; not what is to be kept."""
        sha256 = self._hashes.pop(recording.relative_path, None)
        for writer in self._writers:
            if self._keeps(recording, writer, sha256):
                continue
            path = self._path(recording, writer, transcript)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                replaced = replace_file(path, writer.write(transcript).encode())
                if sha256 is not None:
                    self._log.add(path, sha256)
            except OSError as error:
                kind = UnwritableError if self._can_write_others(error) else OutputError
                raise kind(writing_failure(f"{path} cannot be written", error)) from error
            if has_terminal():
                print_message(f"wrote {path}")
            elif replaced and not self._options.overwrite:
                print_message(f"replaced {path}, which was there already.")

    def _add(self, recording: InputRecording) -> None:
        """Choose the path of a fetched recording, as `choose_bases` does for those of files."""
        name = recording.relative_path
        taken = {
            transcript_path(base, writer)
            for base in self._bases.values()
            for writer in self._writers
        }
        for base in (self._folder / name.with_suffix(""), self._folder / name):
            paths = {transcript_path(base, writer) for writer in self._writers}
            written_over = self._inputs.intersection(map(os.path.realpath, paths))
            if name not in self._bases and not (paths & taken or written_over):
                break
        else:
            raise UnwritableError(
                f"{self._folder} gets the transcript of another recording called {name} in this "
                f"call. Use another call with another folder."
            )
        for path in (path for writer in self._writers for path in self._existing(base, writer)):
            if self._keeps_unasked:
                raise UnwritableError(
                    f"{path} is there already, and its recording's name came only with the "
                    f"recording. --overwrite replaces it, --skip-existing keeps it."
                )
        self._bases[name] = base

    def _path(self, recording: InputRecording, writer: Writer, transcript: Transcript) -> Path:
        base = self._bases[recording.relative_path]
        if not self._options.name_language:
            return transcript_path(base, writer)
        language = languages(transcript).get("language", UNKNOWN_LANGUAGE)
        path = transcript_path(base.with_name(f"{base.name}.{language}"), writer)
        if os.path.realpath(path) in self._inputs:
            raise UnwritableError(
                f"{path} is a recording of this call, and its transcript would have that name. "
                f"Name another folder with -o."
            )
        return path

    def _existing(self, base: Path, writer: Writer) -> list[Path]:
        if not self._options.name_language:
            path = transcript_path(base, writer)
            return [path] if os.path.isfile(path) else []  # noqa: PTH113 (a name may be too long)
        ending = re.compile(re.escape(base.name) + r"\.[a-z]{2,3}" + re.escape(writer.extension))
        return [path for path in base.parent.glob("*") if ending.fullmatch(path.name)]

    def _keeps(self, recording: InputRecording, writer: Writer, sha256: str | None) -> bool:
        """Return whether a transcript that is there stays: of these bytes, or made by others."""
        if not self._options.skip_existing or sha256 is None:
            return False
        there = self._there(self._bases[recording.relative_path], writer)
        return any(self._log.source_of(path) in {None, sha256} for path in there)

    def _there(self, base: Path, writer: Writer) -> list[Path]:
        """Return the transcripts of a recording, in any language and by whomever they are made."""
        if not self._options.name_language:
            return self._existing(base, writer)
        ending = re.compile(re.escape(base.name) + NAMED_LANGUAGE + re.escape(writer.extension))
        return [path for path in base.parent.glob("*") if ending.fullmatch(path.name)]

    def _can_write_others(self, failure: OSError) -> bool:
        try:
            check_writable(self._folder)
        except OSError:
            return False
        return failure.errno not in PERSISTENT_ERRORS
