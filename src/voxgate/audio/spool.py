"""Decoded sound on disk, in a file that has no name.

The file is unlinked when it is created, so nothing of a caller's speech outlives the process, and
memory does not grow with the recording. Sound is only ever appended; views read behind the writer.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import wave
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import IO

from voxgate.errors import SpoolFullError

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


# `Audio`: a handle on decoded sound. What travels is the handle; the sound stays in its spool.


@dataclass(frozen=True, slots=True)
class Audio:
    """Samples [start, end) of a spool: a whole recording or one window of it.

    Times of this handle count from its own first sample; `start_s` puts them on the recording's
    timeline.
    """

    spool: Spool = field(repr=False)
    start: int  # samples at 16 kHz from the recording's beginning
    end: int  # samples, exclusive

    @classmethod
    def from_pcm16(cls, pcm16: bytes, folder: Path | None = None) -> Audio:
        """A handle on sound that is already mono PCM16 little-endian at 16 kHz."""
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

    def slice(self, start: int, end: int) -> Audio:
        """Samples [start, end) of this handle, as a handle on the same spool."""
        if not 0 <= start <= end <= self.samples:
            raise ValueError(f"[{start}, {end}) is outside of {self.samples} samples")
        return Audio(self.spool, self.start + start, self.start + end)

    def pcm16(self) -> bytes:
        """The sound: mono PCM16 little-endian at 16 kHz."""
        return self.spool.read(self.start, self.end)

    def wav(self) -> bytes:
        """The sound as a WAV file, for providers that want a container."""
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(SAMPLE_BYTES)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(self.pcm16())
        return buffer.getvalue()

    def sha256(self) -> str:
        """The content's hash: equal sound has an equal hash, wherever it lies in a recording."""
        return hashlib.sha256(self.pcm16()).hexdigest()
