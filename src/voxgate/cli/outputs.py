"""Where transcripts go: `Output`, and standard output."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from voxgate.cli.streams import standard_output, write_output
from voxgate.errors import OutputError, UsageError
from voxgate.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.cli.inputs import InputRecording
    from voxgate.transcript.formats import Writer
    from voxgate.transcript.values import Transcript


class UnwritableError(OutputError):
    """One recording's transcript cannot be written; those of others may be."""


class Output(Protocol):
    """The destination of finished transcripts."""

    async def wants(self, recording: InputRecording) -> bool:
        """Return whether a recording is to be transcribed. It is asked before that is done."""

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

    async def wants(self, recording: InputRecording) -> bool:  # noqa: ARG002 (of the protocol)
        """Return True."""
        return True

    async def write(self, recording: InputRecording, transcript: Transcript) -> None:
        """Write in a thread, so that a reader that stopped reading does not block Ctrl-C."""
        text = self._writer.write(transcript)
        if self._several:
            gap = "\n" if self._has_written else ""
            text = f"{gap}==> {printable(recording.name)} <==\n{text}"
        self._has_written = True
        await asyncio.to_thread(write_output, text)
