"""`SpooledFile`: a recording that is written to an unnamed file while it arrives."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from voxgate.audio.spool import nameless_file, spool_full

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from voxgate.errors import VoxgateError


class SpooledFile:
    """Writes and hashes a recording. `too_large` makes the error for more than `limit` bytes.

    `file` is unbuffered and has a real descriptor. The constructor and `write` raise
    `SpoolFullError`.
    """

    def __init__(self, folder: Path, limit: int, too_large: Callable[[int], VoxgateError]) -> None:
        self.size = 0  # bytes
        self._folder, self._limit, self._too_large = folder, limit, too_large
        self._hash = hashlib.sha256()
        self.file = nameless_file(folder, "upload-")

    @property
    def sha256(self) -> str:
        """The hash of what was written, hexadecimal."""
        return self._hash.hexdigest()

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes. Raises what `too_large` makes beyond the limit."""
        view = memoryview(data)
        self.size += len(view)
        if self.size > self._limit:
            raise self._too_large(self._limit)
        self._hash.update(view)
        try:
            while view:  # an unbuffered file may write less than all
                view = view[self.file.write(view) :]
        except OSError as error:
            raise spool_full(self._folder, error) from error

    def close(self) -> None:
        """Delete the recording. May be called again."""
        self.file.close()
