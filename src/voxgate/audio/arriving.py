"""`ArrivingFile`: a recording that is decoded while it is still being written."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import IO


@dataclass(slots=True)
class ArrivingFile:
    """A file that grows, and the pipe that says so. Close it.

    Each byte of the pipe means that the file has become longer, its end that the file is whole. A
    decoder, which waits on the pipe, can so go back in the file as in any other. `whole` says the
    end to who waits in the writer's event loop.
    """

    file: IO[bytes]
    arrival_fd: int
    whole: asyncio.Event

    def close(self) -> None:
        """Close both. May be called again."""
        self.file.close()
        if self.arrival_fd >= 0:
            os.close(self.arrival_fd)
            self.arrival_fd = -1


class Arrival:
    """The writer's end of that pipe. Call `grown` after each write, and `end` in any case."""

    def __init__(self) -> None:
        self._read_fd, self._fd = os.pipe()
        os.set_blocking(self._fd, False)
        self._whole = asyncio.Event()

    def of(self, file: IO[bytes]) -> ArrivingFile:
        """Return what a decoder reads: this file, opened once more. Call it once."""
        read_fd, self._read_fd = self._read_fd, -1
        reopened = os.fdopen(os.dup(file.fileno()), "rb", buffering=0)
        return ArrivingFile(reopened, read_fd, self._whole)

    def grown(self) -> None:
        """Say that the file has become longer. Never waits."""
        # Full: the decoder has not read of earlier growth yet. Broken: it reads no more.
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._fd, b".")

    def end(self) -> None:
        """Say that the file is whole. May be called again."""
        for fd in (self._fd, self._read_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._read_fd = -1
        self._whole.set()
