"""`RegularFile`: a file object for FFmpeg over the caller's descriptor, and its base."""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod

MAX_SEARCH_BYTES = 64 << 20  # the largest damaged stretch that `find` can search through
SEARCH_BLOCK_BYTES = 1 << 20


class PositionedFile(ABC):
    """The interface of all kinds of file: bytes by position."""

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


class RegularFile(PositionedFile):
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
