"""`ScratchFile`: a file without a name, in memory while it is short and on disk when it is longer.

It is gone when the process ends. So a voice note needs no free disk, and a busy server does not
make and delete files all the time, for which ext4 looks long for an inode that is not just freed.
Memory does not grow with the recording.
"""

from __future__ import annotations

import os
import sys
import tempfile
from io import FileIO
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakSet

from voxgate.errors import SpoolFullError

if TYPE_CHECKING:
    from pathlib import Path

IN_MEMORY_BYTES = 1 << 18  # 8 seconds of decoded sound; most voice notes as they are uploaded
MOST_IN_MEMORY = (
    256  # files, so 64 MiB: callers may upload as many at once as there are connections
)


class ScratchFile:
    """A file that is written once and can be read in the meantime.

    `file` is unbuffered and has a real descriptor; after a `write` it may be another one. Its
    position is undefined. The constructor, `write` and `move_to_disk` raise `SpoolFullError`.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        self.file: FileIO = MemoryFile.create(prefix) or nameless_file(folder, prefix)

    def write(self, data: bytes | bytearray | memoryview, offset: int) -> None:
        """Write all bytes there. After an error any of them may be written."""
        if offset + len(data) > IN_MEMORY_BYTES:
            self.move_to_disk()
        self._write(self.file, data, offset)

    def move_to_disk(self) -> None:
        """Keep on disk what has been written, and what follows: `file` stays the same from now on.

        May be called again.
        """
        if not isinstance(self.file, MemoryFile):
            return
        on_disk = nameless_file(self._folder, self._prefix)
        try:
            self._write(on_disk, os.pread(self.file.fileno(), IN_MEMORY_BYTES, 0), 0)
        except BaseException:
            on_disk.close()
            raise
        self.file.close()
        self.file = on_disk

    def close(self) -> None:
        """Free the memory or the disk space. May be called again."""
        self.file.close()

    def _write(self, file: FileIO, data: bytes | bytearray | memoryview, offset: int) -> None:
        view = memoryview(data)
        try:
            while view:  # the kernel may write less than all
                written = os.pwrite(file.fileno(), view, offset)
                view, offset = view[written:], offset + written
        except OSError as error:
            raise _spool_full(self._folder, error) from error


class MemoryFile(FileIO):
    """An unbuffered file without a name that is on no disk."""

    _open: ClassVar[WeakSet[MemoryFile]] = WeakSet()

    @classmethod
    def create(cls, name: str) -> MemoryFile | None:
        """Create one. None where the system has none, and where there are enough."""
        if sys.platform != "linux" or len(cls._open) >= MOST_IN_MEMORY:
            return None
        try:
            file = cls(os.memfd_create(name), "w+b")
        except OSError:  # a sandbox without the call; what else fails, a file on disk will say
            return None
        cls._open.add(file)
        return file

    def close(self) -> None:
        """Free the memory. May be called again."""
        self._open.discard(self)
        super().close()


def nameless_file(folder: Path, prefix: str) -> FileIO:
    """Create an unbuffered file without a name, and the folder if it is missing.

    Other processes cannot open the file. Raises `SpoolFullError`.
    """
    try:
        try:
            return _temporary(folder, prefix)
        except FileNotFoundError:  # hardly ever: the folder is there from the first file on
            folder.mkdir(parents=True, exist_ok=True)
            return _temporary(folder, prefix)
    except OSError as error:
        raise _spool_full(folder, error) from error


def _spool_full(folder: Path, error: OSError) -> SpoolFullError:
    """Return the error for a spool that cannot be created or written."""
    return SpoolFullError(
        f"Sound could not be written to {folder} ({error.strerror or error}). Free some space "
        f"there (an hour of sound takes 115 MB), or set VOXGATE_SPOOL_DIR to another folder."
    )


def _temporary(folder: Path, prefix: str) -> FileIO:
    return tempfile.TemporaryFile(dir=folder, prefix=prefix, buffering=0)
