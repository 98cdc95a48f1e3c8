"""Decoded sound on disk: `Spool`, an unlinked file of samples, and `Audio`, a handle on a part.

The file is unlinked when it is created, so that a caller's speech is gone when the process ends.
Memory does not grow with the recording. Sound is only appended, and can be read in the meantime.
"""

from __future__ import annotations

import io
import os
import tempfile
import wave
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import IO

from voxgate.errors import SpoolFullError

SAMPLE_RATE = 16_000  # Hz: the input of every engine
SAMPLE_BYTES = 2  # PCM16, the precision of the reference implementation


class Spool:
    """Mono PCM16 little-endian at 16 kHz: append at the end, read at any position.

    The constructor and `append` raise `SpoolFullError` when the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.samples = 0
        self._file = nameless_file(folder, "sound-")

    def append(self, pcm16: bytes) -> None:
        """Append whole samples. After an error none of them is readable."""
        view = memoryview(pcm16)
        try:
            while view:
                written = os.pwrite(self._file.fileno(), view, self._end + len(pcm16) - len(view))
                view = view[written:]
        except OSError as error:
            raise spool_full(self.folder, error) from error
        self.samples += len(pcm16) // SAMPLE_BYTES

    def read(self, start: int, end: int) -> bytes:
        """Return the PCM16 of samples [start, end). Raise ValueError outside of the spool."""
        if not 0 <= start <= end <= self.samples:
            raise ValueError(f"samples [{start}, {end}) are not in a spool of {self.samples}")
        size, offset = (end - start) * SAMPLE_BYTES, start * SAMPLE_BYTES
        parts = []
        while size:  # pread may return fewer bytes than requested
            part = os.pread(self._file.fileno(), size, offset)
            if not part:
                raise SpoolFullError(
                    f"The decoded sound in {self.folder} ends early. Is the disk damaged?"
                )
            parts.append(part)
            size, offset = size - len(part), offset + len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Free the disk space. May be called again."""
        self._file.close()

    @property
    def _end(self) -> int:
        return self.samples * SAMPLE_BYTES


def nameless_file(folder: Path, prefix: str) -> IO[bytes]:
    """Create an unbuffered file without a name, and the folder if it is missing.

    Other processes cannot open the file. Raises `SpoolFullError`.
    """
    try:
        try:
            return tempfile.TemporaryFile(dir=folder, prefix=prefix, buffering=0)
        except FileNotFoundError:  # hardly ever: the folder is there from the first file on
            folder.mkdir(parents=True, exist_ok=True)
            return tempfile.TemporaryFile(dir=folder, prefix=prefix, buffering=0)
    except OSError as error:
        raise spool_full(folder, error) from error


def spool_full(folder: Path, error: OSError) -> SpoolFullError:
    """Return the error for a spool that cannot be created or written."""
    return SpoolFullError(
        f"Sound could not be written to {folder} ({error.strerror or error}). Free some space "
        f"there (an hour of sound takes 115 MB), or set VOXGATE_SPOOL_DIR to another folder."
    )


@dataclass(frozen=True, slots=True)
class Audio:
    """Samples [start, end) of a spool: a whole recording or one window of it.

    The sound stays in the spool; only the handle is passed on. Times in the handle count from its
    first sample. Adding `start_s` converts them to the recording's timeline.
    """

    spool: Spool = field(repr=False)
    start: int  # samples at 16 kHz from the recording's beginning
    end: int  # samples, exclusive

    @classmethod
    def from_pcm16(cls, pcm16: bytes, folder: Path | None = None) -> Audio:
        """Write mono PCM16 little-endian at 16 kHz to a new spool, and return a handle on it."""
        spool = Spool(folder or Path(gettempdir()))
        spool.append(pcm16)
        return cls(spool, 0, spool.samples)

    @property
    def samples(self) -> int:
        """Length in samples at 16 kHz."""
        return self.end - self.start

    @property
    def start_s(self) -> float:
        """Seconds from the recording's beginning to this handle's first sample."""
        return self.start / SAMPLE_RATE

    @property
    def duration_s(self) -> float:
        """Length in seconds, counted in samples."""
        return self.samples / SAMPLE_RATE

    def pcm16(self) -> bytes:
        """Return the sound: mono PCM16 little-endian at 16 kHz."""
        return self.spool.read(self.start, self.end)

    def wav(self) -> bytes:
        """Return the sound as a WAV file, for providers that need a container."""
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(SAMPLE_BYTES)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(self.pcm16())
        return buffer.getvalue()
