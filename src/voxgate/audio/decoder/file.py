"""File objects for FFmpeg over the caller's descriptor: `RegularFile` and `PipeFile`."""

from __future__ import annotations

import errno
import os
import select
from abc import ABC, abstractmethod

from voxgate.audio.source import audio_too_large

MAX_SEARCH_BYTES = 64 << 20  # the largest damaged stretch that `find` can search through
SEARCH_BLOCK_BYTES = 1 << 20


class _PositionedFile(ABC):
    """The interface of both kinds of file: bytes by position."""

    size: int | None = None  # bytes; None while it is unknown
    _position = 0

    def tell(self) -> int:
        """Return the position where the next read begins."""
        return self._position

    def head(self, count: int) -> bytes:
        """Return the first `count` bytes, or fewer if the file is shorter."""
        return self.read_at(0, count)

    def find(self, pattern: bytes, start: int) -> int | None:
        """Return the first position of `pattern` at or after `start`.

        Return None if it does not begin within `MAX_SEARCH_BYTES` of `start`.
        """
        for position in range(start, start + MAX_SEARCH_BYTES, SEARCH_BLOCK_BYTES):
            block = self.read_at(position, SEARCH_BLOCK_BYTES + len(pattern) - 1)
            if (index := block.find(pattern)) >= 0:
                return position + index
            if len(block) <= SEARCH_BLOCK_BYTES:
                break
        return None

    @abstractmethod
    def whole(self) -> RegularFile:
        """Return all bytes as a regular file."""

    @abstractmethod
    def read_at(self, position: int, count: int) -> bytes:
        """Return at most `count` bytes from `position`; no bytes outside of the file."""


class RegularFile(_PositionedFile):
    """Bytes [offset, offset + size) of a regular file.

    It has no name from which FFmpeg could guess a format. It reads by position, because the
    descriptor may be shared with a caller that reads the same file.
    """

    def __init__(self, fd: int, offset: int, size: int, *, seekable: bool = True) -> None:
        self._fd, self._offset, self._seekable = fd, offset, seekable
        self.size: int = size

    def part(self, start: int, end: int, *, seekable: bool = True) -> RegularFile:
        """Return the bytes [start, end) as a file of their own."""
        size = min(end, self.size) - start
        return RegularFile(self._fd, self._offset + start, size, seekable=seekable)

    def whole(self) -> RegularFile:
        """Return this file."""
        return self

    def seekable(self) -> bool:
        """Return whether FFmpeg may seek. If not, it reads straight on, and looks for no footer."""
        return self._seekable

    def read(self, count: int) -> bytes:
        """Return at most `count` bytes; no bytes at the end, or where the file has shrunk."""
        data = self.read_at(self._position, count)
        self._position += len(data)
        return data

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + position < 0:
            raise OSError(errno.EINVAL, "before the beginning")
        self._position = base + position
        return self._position

    def read_at(self, position: int, count: int) -> bytes:
        """Return at most `count` bytes from `position`; no bytes outside of the file."""
        count = min(count, self.size - position)
        return os.pread(self._fd, count, self._offset + position) if count > 0 else b""


class PipeFile(_PositionedFile):
    """A pipe whose bytes are copied to an unlinked scratch file, so that FFmpeg can go back.

    `seekable` is true only where the container needs it. On a seekable file FFmpeg looks for more
    data after the sound before it begins, so a live recording would wait for its last byte.
    """

    def __init__(self, fd: int, scratch_fd: int, max_bytes: int, name: str) -> None:
        self._fd, self._scratch = fd, scratch_fd
        self._max_bytes, self._name = max_bytes, name
        self._copied, self._ended = 0, False  # bytes in the scratch file; whether that is all

    def read(self, count: int) -> bytes:
        """Return at most `count` bytes. Wait until there is at least one."""
        self._copy_to(self._position + 1)
        data = self.read_at(self._position, count)
        self._position += len(data)
        return data

    def seekable(self) -> bool:
        """Return whether FFmpeg may seek: MP4 and its relatives often have the index at the end."""
        return self.head(8)[4:] in {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"}

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
        """Return at most `count` bytes from `position`, of those that were read from the pipe."""
        count = min(count, self._copied - position)
        return os.pread(self._scratch, count, position) if count > 0 else b""

    def whole(self) -> RegularFile:
        """Return all bytes of the pipe as a regular file. Wait for the end of the pipe."""
        while not self._ended:
            self._copy_block()
        return RegularFile(self._scratch, 0, self._copied)

    def head(self, count: int) -> bytes:
        """Return the first `count` bytes. Wait for all of them, or for the end of the pipe."""
        self._copy_to(count)
        return self.read_at(0, count)

    def _copy_to(self, end: int) -> None:
        while self._copied < end and not self._ended:
            self._copy_block()

    def _copy_block(self) -> None:
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:  # another process made the pipe non-blocking: wait all the same
            # Not poll: it fails for more descriptors than RLIMIT_NOFILE, which is 0 here.
            select.select([self._fd], [], [])
            return
        self._ended = not data
        if self._copied + len(data) > self._max_bytes:
            raise audio_too_large(self._name, self._max_bytes)
        view = memoryview(data)
        while view:
            written = os.pwrite(self._scratch, view, self._copied)
            self._copied, view = self._copied + written, view[written:]
