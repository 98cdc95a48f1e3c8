"""Blocks of channels to what goes over the wire: PCM16 at 16 kHz, and probabilities of speech."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxgate.audio.decoder import wire
from voxgate.audio.decoder.downmix import Downmix
from voxgate.audio.decoder.resample import Resample
from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.errors import AudioTooLongError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.audio.frame import AudioFrame

    from voxgate.audio.decoder.downmix import Samples
    from voxgate.audio.decoder.job import Job
    from voxgate.audio.decoder.voice import Voice


class Sound:
    """Blocks of channels to PCM16 and probabilities of speech, on the wire."""

    def __init__(self, voice: Voice, out_fd: int, job: Job) -> None:
        self.out_fd = out_fd
        self._voice, self._job = voice, job
        self._left = round(job.max_duration_s * SAMPLE_RATE)
        self._downmix: Downmix | None = None
        self._resample: Resample | None = None

    def change(self, rate: int, channels: Sequence[str]) -> None:
        """Go on with blocks of this rate and layout."""
        self._end_rate()
        self._downmix, self._resample = Downmix(rate, channels), Resample(rate)

    def add(self, block: Samples) -> None:
        """Send one block, [channels, samples] at the current rate."""
        if self._downmix and self._resample:
            self._send(self._resample(self._downmix(block)))

    def finish(self) -> None:
        """Send what the resampler and the speech detector still hold."""
        self._end_rate()
        wire.send(self.out_fd, wire.SPEECH, self._voice.flush())

    def _end_rate(self) -> None:
        if self._resample:
            self._send(self._resample.flush())

    def _send(self, pcm16: bytes) -> None:
        self._left -= len(pcm16) // SAMPLE_BYTES
        if self._left < 0:
            raise too_long(self._job.name, self._job.max_duration_s, "more sound follows")
        if pcm16:
            wire.send(self.out_fd, wire.SOUND, pcm16)
            wire.send(self.out_fd, wire.SPEECH, self._voice(pcm16))


def to_float(frame: AudioFrame) -> Samples:
    """A frame as [channels, samples], float32 of full scale 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    kind = samples.dtype
    if kind == np.uint8:
        return (samples.astype(np.float32) - np.float32(128)) / np.float32(128)
    if kind.kind == "i":
        return samples.astype(np.float32) / np.float32(2 ** (8 * kind.itemsize - 1))
    return samples.astype(np.float32)


def too_long(name: str, limit_s: float, why: str) -> AudioTooLongError:
    """The one sentence for sound past the limit."""
    return AudioTooLongError(
        f"{name} is longer than {limit_s / 3600:g} h, the limit here: {why}. Cut the "
        f"recording, or raise VOXGATE_MAX_DURATION_S (a server's: VOXGATE_MAX_UPLOAD_S)."
    )
