"""Decoded sound: `Spool`, an unnamed file of samples, and `Audio`, a handle on a part.

The file has no name, so that a caller's speech is gone when the process ends. Memory does not grow
with the recording. Sound is only appended, and can be read in the meantime.
"""

from __future__ import annotations

import io
import os
import wave
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir

from voxgate.audio.scratch_file import ScratchFile
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
        self._scratch = ScratchFile(folder, "sound-")

    def append(self, pcm16: bytes) -> None:
        """Append whole samples. After an error none of them is readable."""
        self._scratch.write(pcm16, self.samples * SAMPLE_BYTES)
        self.samples += len(pcm16) // SAMPLE_BYTES

    def read(self, start: int, end: int) -> bytes:
        """Return the PCM16 of samples [start, end). Raise ValueError outside of the spool."""
        if not 0 <= start <= end <= self.samples:
            raise ValueError(f"samples [{start}, {end}) are not in a spool of {self.samples}")
        size, offset = (end - start) * SAMPLE_BYTES, start * SAMPLE_BYTES
        parts = []
        while size:  # pread may return fewer bytes than requested
            part = os.pread(self._scratch.file.fileno(), size, offset)
            if not part:
                raise SpoolFullError(
                    f"The decoded sound in {self.folder} ends early. Is the disk damaged?"
                )
            parts.append(part)
            size, offset = size - len(part), offset + len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Free the memory or the disk space. May be called again."""
        self._scratch.close()


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
