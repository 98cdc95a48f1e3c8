"""Where extracted data goes: standard output, and the format of files."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import msgspec

from voxgate.cli.streams import harmless_json, standard_output, write_output
from voxgate.transcript.formats import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.cli.inputs import InputRecording
    from voxgate.transcript.values import Transcript


def _indented(transcript: Transcript) -> str:
    return _formatted(transcript, indent=2)


DATA = Writer("json", ".json", "application/json", _indented, has_times=False, content="the data")
"""The format of a file with data."""


class DataOutput:
    """Data on standard output: indented in a terminal, else one line for each recording.

    So jq(1) and others read one value after another, and lines are divided as those of JSON Lines.
    Raises `OutputError` when standard output is closed.
    """

    def __init__(self, recordings: Sequence[InputRecording]) -> None:
        standard_output()  # raises if it is closed, before hours of work
        self._pretty = len(recordings) == 1 and sys.stdout.isatty()

    async def wants(self, recording: InputRecording) -> bool:  # noqa: ARG002 (of the protocol)
        """Return True."""
        return True

    async def write(self, recording: InputRecording, transcript: Transcript) -> None:  # noqa: ARG002 (of the protocol)
        """Write in a thread, so that a reader that stopped reading does not block Ctrl-C."""
        text = _formatted(transcript, indent=2 if self._pretty else -1)
        await asyncio.to_thread(write_output, harmless_json(text))


def _formatted(transcript: Transcript, *, indent: int) -> str:
    """Return the data as lines of JSON: the numbers as the model wrote them."""
    assert transcript.structured is not None  # noqa: S101 (see `complete`)
    assert transcript.structured.json is not None  # noqa: S101
    return msgspec.json.format(transcript.structured.json, indent=indent) + "\n"
