"""The decoder's end of the caller's bytes: a descriptor, read as the file that FFmpeg wants."""

from __future__ import annotations

import errno
import os
import select
from abc import ABC, abstractmethod

from voxgate.audio.source import audio_too_large

SEARCH = 64 << 20  # bytes: how much damage in one place is looked past
BLOCK = 1 << 20


class _Positioned(ABC):
    """What both kinds of file are to their readers: bytes by position."""

    size: int | None = None  # bytes; None while nobody knows
    _position = 0

    def tell(self) -> int:
        """The place where the next read begins."""
        return self._position

    def head(self, count: int) -> bytes:
        """The first `count` bytes, fewer only where the file is shorter."""
        return self.at(0, count)

    def find(self, needle: bytes, start: int) -> int | None:
        """The first place at or after `start` where these bytes lie; None if nowhere near."""
        for at in range(start, start + SEARCH, BLOCK):
            block = self.at(at, BLOCK + len(needle) - 1)
            if (place := block.find(needle)) >= 0:
                return at + place
            if len(block) <= BLOCK:
                break
        return None

    @abstractmethod
    def at(self, position: int, count: int) -> bytes:
        """At most `count` bytes from a place; none where there are none."""


class RegularFile(_Positioned):
    """Bytes [offset, offset + size) of a regular file.

    It has no name that FFmpeg could judge by, and reads by position: the descriptor may be shared
    with a caller who reads the same file.
    """

    def __init__(self, fd: int, offset: int, size: int) -> None:
        self._fd, self._offset = fd, offset
        self.size: int = size

    def read(self, count: int) -> bytes:
        """At most `count` bytes from here; none at the end, also where the file has shrunk."""
        data = self.at(self._position, count)
        self._position += len(data)
        return data

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place, and tell it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + position < 0:
            raise OSError(errno.EINVAL, "before the beginning")
        self._position = base + position
        return self._position

    def at(self, position: int, count: int) -> bytes:
        """At most `count` bytes from a place; none where there are none."""
        count = min(count, self.size - position)
        return os.pread(self._fd, count, self._offset + position) if count > 0 else b""


class PipeFile(_Positioned):
    """A pipe, kept in an unlinked scratch file as far as it has been read, so that one can go back.

    FFmpeg is told that it can seek only where the container makes it: on a seekable file it looks
    behind the sound for more before it begins, and a live recording would wait for its last byte.
    """

    def __init__(self, fd: int, scratch_fd: int, max_bytes: int, name: str) -> None:
        self._fd, self._scratch = fd, scratch_fd
        self._max_bytes, self._name = max_bytes, name
        self._kept, self._ended = 0, False

    def read(self, count: int) -> bytes:
        """At most `count` bytes from here, waiting for the first of them."""
        self._pull_to(self._position + 1)
        data = self.at(self._position, count)
        self._position += len(data)
        return data

    def seekable(self) -> bool:
        """Whether FFmpeg may seek: the MP4 family keeps its index at the end as often as not."""
        return self.head(8)[4:] in {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"}

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place, and tell it; -1 for places counted from the end.

        PyAV would raise an exception later, from a call that succeeded; -1 reaches FFmpeg as "the
        size is not known".
        """
        if whence == os.SEEK_END:
            return -1
        self._position = position + (self._position if whence == os.SEEK_CUR else 0)
        return self._position

    def at(self, position: int, count: int) -> bytes:
        """At most `count` bytes from a place, as far as the pipe has been read."""
        count = min(count, self._kept - position)
        return os.pread(self._scratch, count, position) if count > 0 else b""

    def head(self, count: int) -> bytes:
        """The first `count` bytes, waiting for all of them."""
        self._pull_to(count)
        return self.at(0, count)

    def _pull_to(self, end: int) -> None:
        while self._kept < end and not self._ended:
            self._pull()

    def _pull(self) -> None:
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:  # somebody else set it non-blocking: wait as if they had not
            select.select([self._fd], [], [])  # poll counts descriptors against their limit, 0
            return
        self._ended = not data
        if self._kept + len(data) > self._max_bytes:
            raise audio_too_large(self._name, self._max_bytes)
        view = memoryview(data)
        while view:
            written = os.pwrite(self._scratch, view, self._kept)
            self._kept, view = self._kept + written, view[written:]
