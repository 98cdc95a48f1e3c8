"""`PipeFile` and `GrowingFile`: file objects for FFmpeg whose bytes are still coming."""

from __future__ import annotations

import os
import select
from abc import abstractmethod
from typing import Final

from voxgate.audio.decoder.file import PositionedFile, RegularFile
from voxgate.audio.source import audio_too_large

MP4_BOXES: Final = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"}
"""With which MP4 and its relatives begin."""

MAX_INDEX_BYTES: Final = 1 << 16
"""What may be before an index that comes first: the format's name, free space. An index of
fragments is far smaller: it names tracks and no sample."""


class StreamedFile(PositionedFile):
    """A file of which more bytes may come. Reading waits for them.

    `seekable` is true only where the container needs it. On a seekable file FFmpeg looks for more
    data after the sound before it begins, so a live recording would wait for its last byte.
    """

    def __init__(self, fd: int, max_bytes: int, name: str) -> None:
        self._fd, self._max_bytes, self._name = fd, max_bytes, name  # the descriptor with the bytes
        self._available, self._ended = 0, False  # bytes that can be read; whether that is all

    @abstractmethod
    def _await_more(self) -> None:
        """Wait for more bytes or the end; it may also return without either."""

    def read(self, count: int) -> bytes:
        """Return at most `count` bytes. Wait until there is at least one."""
        self._await(self._position + 1)
        data = self.read_at(self._position, count)
        self._position += len(data)
        return data

    def seekable(self) -> bool:
        """Return whether FFmpeg may seek: MP4 and its relatives often have the index at the end.

        Where it comes first FFmpeg would still look for another, and for every fragment, before it
        begins.
        """
        return self.head(8)[4:] in MP4_BOXES and self._index() is None

    def has_fragments(self) -> bool:
        """Return whether it is an MP4 in fragments, whose length is known only at its end."""
        position = self._index() if self.head(8)[4:] in MP4_BOXES else None
        if position is None:
            return False
        size = int.from_bytes(self._first(position, 4))
        return b"mvex" in self._first(position, min(size, MAX_INDEX_BYTES))

    def _index(self) -> int | None:
        """Return the position of an MP4's index, where it comes before the sound."""
        at = 0
        while at < MAX_INDEX_BYTES:
            size, kind = int.from_bytes(self._first(at, 4)), self._first(at + 4, 4)
            if kind == b"moov":
                return at
            if size < 8 or kind == b"mdat":  # the end, or a size that is written elsewhere
                return None
            at += size
        return None

    def _first(self, position: int, count: int) -> bytes:
        """Return bytes near the beginning. Wait for them."""
        self._await(position + count)
        return self.read_at(position, count)

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position and return it; -1 for positions that count from the end.

        An exception would be raised later by PyAV, from a call that succeeded. FFmpeg reads -1 as
        "the size is not known".
        """
        if whence == os.SEEK_END:
            return -1
        self._position = position + (self._position if whence == os.SEEK_CUR else 0)
        return self._position

    def read_at(self, position: int, count: int) -> bytes:
        """Return at most `count` bytes from `position`, of those that have come."""
        count = min(count, self._available - position)
        return os.pread(self._fd, count, position) if count > 0 else b""

    def whole(self) -> RegularFile:
        """Return all bytes as a regular file. Wait for the last."""
        while not self._ended:
            self._await_more()
        return RegularFile(self._fd, 0, self._available)

    def head(self, count: int) -> bytes:
        """Return the first `count` bytes. Wait for all of them, or for the end."""
        self._await(count)
        return self.read_at(0, count)

    def _await(self, end: int) -> None:
        while self._available < end and not self._ended:
            self._await_more()

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise audio_too_large(self._name, self._max_bytes)


class PipeFile(StreamedFile):
    """A pipe whose bytes are copied to an unlinked scratch file, so that FFmpeg can go back."""

    def __init__(self, fd: int, scratch_fd: int, max_bytes: int, name: str) -> None:
        super().__init__(scratch_fd, max_bytes, name)
        self._pipe = fd

    def _await_more(self) -> None:
        data = _read_pipe(self._pipe)
        if data is None:
            return
        self._ended = not data
        self._check_size(self._available + len(data))
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, self._available)
            self._available, view = self._available + written, view[written:]


class GrowingFile(StreamedFile):
    """A regular file that another process still writes; a pipe tells of it (`Arrival`)."""

    def __init__(self, fd: int, arrival_fd: int, max_bytes: int, name: str) -> None:
        super().__init__(fd, max_bytes, name)
        self._arrival = arrival_fd

    def _await_more(self) -> None:
        signals = _read_pipe(self._arrival)
        size = os.fstat(self._fd).st_size  # after the pipe's end: what is written before it counts
        self._check_size(size)
        self._available, self._ended = size, signals == b""


def _read_pipe(fd: int) -> bytes | None:
    """Return the next bytes of a pipe, b"" at its end. None: try again."""
    try:
        return os.read(fd, 1 << 16)
    except BlockingIOError:  # another process made the pipe non-blocking: wait all the same
        # Not poll: it fails for more descriptors than RLIMIT_NOFILE, which is 0 here.
        select.select([fd], [], [])
        return None
