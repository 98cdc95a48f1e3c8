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
from typing import TYPE_CHECKING
from weakref import WeakSet

from voxgate.errors import SpoolFullError

if TYPE_CHECKING:
    from pathlib import Path

IN_MEMORY_BYTES = 1 << 18  # 8 seconds of decoded sound; most voice notes as they are uploaded
MOST_IN_MEMORY = 256  # files, so 64 MiB: callers may upload on very many connections at once


class ScratchFile:
    """A file that is written once and can be read in the meantime, in any thread.

    `file` is unbuffered and has a real descriptor; its position is undefined. The constructor,
    `write` and `move_to_disk` raise `SpoolFullError`.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        in_memory = _memory_file(prefix)
        self._in_memory = in_memory is not None
        self.file = in_memory or nameless_file(folder, prefix)

    def write(self, data: bytes | bytearray | memoryview, offset: int) -> None:
        """Write all bytes there. After an error any of them may be written."""
        if offset + len(data) > IN_MEMORY_BYTES:
            self.move_to_disk()
        self._write(self.file, data, offset)

    def move_to_disk(self) -> None:
        """Keep on disk what has been written, and what follows. May be called again.

        The descriptor stays the same: who reads by it reads the same bytes, before and after. A
        copy of it that was made before stays in memory, and does not grow.
        """
        if not self._in_memory:
            return
        with nameless_file(self._folder, self._prefix) as on_disk:
            self._write(on_disk, os.pread(self.file.fileno(), IN_MEMORY_BYTES, 0), 0)
            os.dup2(on_disk.fileno(), self.file.fileno(), inheritable=False)
        self._in_memory = False
        _in_memory.discard(self.file)

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


_in_memory: WeakSet[FileIO] = WeakSet()


def _memory_file(name: str) -> FileIO | None:
    """Create a file that is on no disk. None where the system has none, and where many are open."""
    if sys.platform != "linux":
        return None
    if len(_in_memory) >= MOST_IN_MEMORY:
        for file in [each for each in _in_memory if each.closed]:
            _in_memory.discard(file)
        if len(_in_memory) >= MOST_IN_MEMORY:
            return None
    try:
        file = FileIO(os.memfd_create(name), "w+b")
    except OSError:  # a sandbox without the call; what else fails, a file on disk will say
        return None
    _in_memory.add(file)
    return file


def _spool_full(folder: Path, error: OSError) -> SpoolFullError:
    """Return the error for a spool that cannot be created or written."""
    return SpoolFullError(
        f"Sound could not be written to {folder} ({error.strerror or error}). Free some space "
        f"there (an hour of sound takes 115 MB), or set VOXGATE_SPOOL_DIR to another folder."
    )


def _temporary(folder: Path, prefix: str) -> FileIO:
    return tempfile.TemporaryFile(dir=folder, prefix=prefix, buffering=0)
