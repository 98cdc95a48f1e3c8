"""Decoded sound on disk, in a file that has no name.

The file is unlinked when it is created, so nothing of a caller's speech outlives the process, and
memory does not grow with the recording. Sound is only ever appended; views read behind the writer.
"""

from __future__ import annotations

import os
import tempfile
from typing import IO, TYPE_CHECKING

from voxgate.errors import SpoolFullError

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE_RATE = 16_000  # Hz: what every engine here hears
SAMPLE_BYTES = 2  # PCM16, the precision of the reference implementation


class Spool:
    """Mono PCM16 little-endian at 16 kHz, appended once, read at any place.

    Raises `SpoolFullError` from the constructor and from `append` when the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.samples = 0
        self._file = nameless_file(folder, "sound-")

    def append(self, pcm16: bytes) -> None:
        """Write whole samples at the end, all of them or none that anybody will read."""
        view = memoryview(pcm16)
        try:
            while view:
                written = os.pwrite(self._file.fileno(), view, self._end + len(pcm16) - len(view))
                view = view[written:]
        except OSError as error:
            raise spool_full(self.folder, error) from error
        self.samples += len(pcm16) // SAMPLE_BYTES

    def read(self, start: int, end: int) -> bytes:
        """PCM16 of samples [start, end). Raises ValueError outside of what was appended."""
        if not 0 <= start <= end <= self.samples:
            raise ValueError(f"samples [{start}, {end}) are not in a spool of {self.samples}")
        size, offset = (end - start) * SAMPLE_BYTES, start * SAMPLE_BYTES
        parts = []
        while size:  # pread may give less than it is asked for
            part = os.pread(self._file.fileno(), size, offset)
            if not part:
                raise SpoolFullError(f"The decoded sound in {self.folder} ends early: disk error?")
            parts.append(part)
            size, offset = size - len(part), offset + len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Give the disk space back. May be called again."""
        self._file.close()

    @property
    def _end(self) -> int:
        return self.samples * SAMPLE_BYTES


def nameless_file(folder: Path, prefix: str) -> IO[bytes]:
    """An unbuffered file that nobody else can open, in a folder that is made where it is missing.

    Raises `SpoolFullError`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder, prefix=prefix, buffering=0)
    except OSError as error:
        raise spool_full(folder, error) from error


def spool_full(folder: Path, error: OSError) -> SpoolFullError:
    """The one sentence for a spool that takes no more."""
    return SpoolFullError(
        f"Sound could not be kept in {folder} ({error.strerror or error}). Free some space there "
        f"(an hour of sound takes 115 MB), or name another folder in VOXGATE_SPOOL_DIR."
    )
