"""`SpooledFile`: a recording that is written to an unnamed file while it arrives."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from voxgate.audio.arriving import Arrival
from voxgate.audio.spool import nameless_file, spool_full

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from voxgate.audio.arriving import ArrivingFile
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
        self._arrival: Arrival | None = None
        self.file = nameless_file(folder, "upload-")

    @property
    def sha256(self) -> str:
        """The hash of what was written, hexadecimal."""
        return self._hash.hexdigest()

    def arriving(self) -> ArrivingFile:
        """Return the recording for a decoder that reads it while it arrives. Call it once."""
        self._arrival = Arrival()
        self._arrival.grown()  # what is written already counts too
        return self._arrival.of(self.file)

    def end(self) -> None:
        """Say that the recording is whole, to a decoder that waits for more. May be called again.

        Only after this, or `close`, does that decoder end.
        """
        if self._arrival:
            self._arrival.end()

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
        if self._arrival:
            self._arrival.grown()

    def close(self) -> None:
        """Delete the recording. May be called again."""
        self.end()
        self.file.close()
