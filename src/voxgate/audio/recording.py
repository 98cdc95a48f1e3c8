"""`Audio`: a handle on decoded sound. What travels is the handle; the sound stays in its spool."""

from __future__ import annotations

import hashlib
import io
import wave
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir

from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE, Spool


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
