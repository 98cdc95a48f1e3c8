"""`SpooledFile`: a recording that is written to an unnamed file while it arrives."""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING

from voxgate.audio.arriving import Arrival
from voxgate.audio.scratch_file import ScratchFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from voxgate.audio.arriving import ArrivingFile
    from voxgate.errors import VoxgateError


class SpooledFile:
    """Writes and hashes a recording. `too_large` makes the error for more than `limit` bytes.

    The constructor and `write` raise `SpoolFullError`, and `arriving`.
    """

    def __init__(self, folder: Path, limit: int, too_large: Callable[[int], VoxgateError]) -> None:
        self.size = 0  # bytes
        self._limit, self._too_large = limit, too_large
        self._hash = hashlib.sha256()
        self._arrival: Arrival | None = None
        self._scratch = ScratchFile(folder, "upload-")

    @property
    def file(self) -> IO[bytes]:
        """What was written: an unbuffered file with a real descriptor."""
        return self._scratch.file

    @property
    def sha256(self) -> str:
        """The hash of what was written, hexadecimal."""
        return self._hash.hexdigest()

    def arriving(self) -> ArrivingFile:
        """Return the recording for a decoder that reads it while it arrives. Call it once."""
        self._scratch.move_to_disk()  # the decoder keeps this descriptor while the file grows
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
        self._scratch.write(view, self.size - len(view))
        if self._arrival:
            self._arrival.grown()

    def close(self) -> None:
        """Delete the recording. May be called again."""
        self.end()
        self._scratch.close()
