"""Mono at any rate to PCM16 at 16 kHz, in blocks, exact in length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

from voxgate.audio.spool import SAMPLE_RATE

if TYPE_CHECKING:
    from voxgate.audio.decoder.downmix import Samples


class Resample:
    """A soxr stream (high quality, linear phase) with PCM16 behind it.

    What goes in as n samples comes out as round(n * 16000 / rate), once `flush` was called.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._in = self._out = 0
        self._stream = (
            None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, "float32")
        )

    def __call__(self, mono: Samples) -> bytes:
        """What is ready of this block and those before: mono PCM16 little-endian at 16 kHz."""
        self._in += len(mono)
        ready = mono if self._stream is None else self._stream.resample_chunk(mono)
        self._out += len(ready)
        return to_pcm16(ready)

    def flush(self) -> bytes:
        """The rest, to the sample."""
        if self._stream is None:
            return b""
        rest = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        wanted = max(0, round(self._in * SAMPLE_RATE / self._rate) - self._out)
        rest = np.pad(rest[:wanted], (0, max(0, wanted - len(rest))))
        return to_pcm16(rest)


def to_pcm16(samples: Samples) -> bytes:
    """Float of full scale 1 to PCM16, by floor, as libsndfile does for the reference.

    Samples that came from PCM16 come back unchanged. Not-a-number becomes silence.
    """
    scaled = np.floor(np.clip(np.nan_to_num(samples), -1, 1) * np.float32(32768))
    return bytes(np.minimum(scaled, 32767).astype("<i2"))
