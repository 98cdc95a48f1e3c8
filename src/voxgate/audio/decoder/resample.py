"""From any channels and rate to mono PCM16 at 16 kHz, block by block, exact in length.

`Downmix` mixes the channels to one without losing a voice. A plain mean loses voices: two channels
in anti-phase (a miswired cable, some stereo wideners) cancel each other, and one voice among six
channels drops by 16 dB. `Downmix` therefore inverts a channel that is in anti-phase to the loudest
one, and does not count silent channels in the mean. `Resampler` then changes the rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import soxr

from voxgate.audio.spool import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Sequence

Samples: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

INVERT_BELOW = -0.6  # correlation below which a channel is inverted …
RESTORE_ABOVE = -0.2  # … and above which it is restored; the sign does not flutter in between
ACTIVE = 1e-4  # of the loudest channel's energy (-40 dB): less is hiss and crosstalk, not a source
AUDIBLE = 1e-9  # mean square (-90 dBFS): quieter sound has no reliable phase
LOW_FREQUENCIES = {"LFE", "LFE2"}  # FFmpeg's names of channels of effects: nobody speaks there
RAMP_S = 0.01  # duration of a change of weights: a sudden change would click


class Downmix:
    """A stateful mean of channels, block by block (some tenths of a second each).

    Every channel is part of the mix from its beginning to its end. What changes are its sign and
    the common gain 1/n, where n is the number of channels that have been active so far. Channels of
    low frequencies are left out.
    """

    def __init__(self, rate: int, channels: Sequence[str]) -> None:
        self._ramp = max(1, round(RAMP_S * rate))
        self._mixed = np.array([name not in LOW_FREQUENCIES for name in channels])
        self._sign = np.where(self._mixed, np.float32(1), np.float32(0))
        self._active = np.zeros(len(channels), bool)
        self._reference: int | None = None
        self._weights: Samples | None = None

    def __call__(self, block: Samples) -> Samples:
        """Mix [channels, samples] to [samples]: float32 of full scale 1."""
        if len(block) == 1:
            return np.asarray(block[0], np.float32)
        self._update_signs(block)
        weights = (self._sign / max(1, int(self._active.sum()))).astype(np.float32)
        before = weights if self._weights is None else self._weights
        self._weights = weights
        if np.array_equal(before, weights):
            return np.asarray(weights @ block, np.float32)
        ramp = min(self._ramp, block.shape[1])
        share = np.ones(block.shape[1], np.float32)
        share[:ramp] = np.linspace(0, 1, ramp, dtype=np.float32)
        return np.asarray((before @ block) * (1 - share) + (weights @ block) * share, np.float32)

    def _update_signs(self, block: Samples) -> None:
        """Find the active channels, and those in anti-phase to the loudest one."""
        energy = np.where(self._mixed, np.einsum("cs,cs->c", block, block), 0)
        audible = energy > AUDIBLE * block.shape[1]
        if not audible.any():
            return
        self._active |= audible & (energy > ACTIVE * energy.max())
        if self._reference is None:
            self._reference = int(energy.argmax())
        reference = self._reference
        if not audible[reference]:
            return
        scale = np.sqrt(energy * energy[reference])
        correlation = (block @ block[reference])[audible] / scale[audible]
        sign = self._sign[audible]
        sign[correlation < INVERT_BELOW] = -1
        sign[correlation > RESTORE_ABOVE] = 1
        self._sign[audible] = sign


class Resampler:
    """A soxr stream (high quality, linear phase) that returns PCM16.

    For n samples of input it returns round(n * 16000 / rate) samples in total, `flush` included.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._samples_in = self._samples_out = 0
        self._stream = (
            None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, "float32")
        )

    def __call__(self, mono: Samples) -> bytes:
        """Resample a block. Return what is ready: mono PCM16 little-endian at 16 kHz."""
        self._samples_in += len(mono)
        ready = mono if self._stream is None else self._stream.resample_chunk(mono)
        self._samples_out += len(ready)
        return to_pcm16(ready)

    def flush(self) -> bytes:
        """Return the remaining samples, so that the total length is exact."""
        if self._stream is None:
            return b""
        rest = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        missing = max(0, round(self._samples_in * SAMPLE_RATE / self._rate) - self._samples_out)
        rest = np.pad(rest[:missing], (0, max(0, missing - len(rest))))
        return to_pcm16(rest)


def to_pcm16(samples: Samples) -> bytes:
    """Convert float of full scale 1 to PCM16, by floor, as libsndfile does for the reference.

    Samples that came from PCM16 are unchanged. NaN becomes silence.
    """
    scaled = np.clip(samples, -1, 1)
    scaled *= np.float32(32768)
    np.minimum(np.floor(scaled, out=scaled), 32767, out=scaled)
    if np.isnan(scaled.sum()):  # all others are finite by now
        scaled[np.isnan(scaled)] = 0
    return scaled.astype("<i2").tobytes()
