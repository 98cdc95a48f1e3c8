"""Mono at any rate to PCM16 at 16 kHz, in blocks, exact in length."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import soxr

from voxgate.audio.spool import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Sequence


# Channels to one, without losing anybody.
#
# A plain mean does: two channels in anti-phase (a miswired cable, some stereo wideners) cancel, and
# one voice among six channels drops by 16 dB. Here a channel that runs against the loudest one is
# turned over, and silent channels do not count in the mean.

Samples: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

AGAINST = -0.6  # correlation below which a channel is turned over …
WITH = -0.2  # … and above which it is turned back: in between nothing changes, so nothing flutters
ACTIVE = 1e-4  # of the loudest channel's energy (-40 dB): less is hiss and crosstalk, not a source
AUDIBLE = 1e-9  # mean square (-90 dBFS): less says nothing about phase
RAMP_S = 0.01  # over which weights change, so that a change does not click


class Downmix:
    """A stateful mean of channels, block by block (some tenths of a second each).

    Every channel sounds from its beginning to its end; what changes are its sign and the common
    gain 1/n, where n counts the channels that have been active so far. LFE is left out.
    """

    def __init__(self, rate: int, channels: Sequence[str]) -> None:
        self._ramp = max(1, round(RAMP_S * rate))
        self._heard = np.array([name != "LFE" for name in channels])
        self._sign = np.where(self._heard, np.float32(1), np.float32(0))
        self._active = np.zeros(len(channels), bool)
        self._reference: int | None = None
        self._weights: Samples | None = None

    def __call__(self, block: Samples) -> Samples:
        """[channels, samples] to [samples], float32, full scale 1."""
        if len(block) == 1:
            return np.asarray(block[0], np.float32)
        self._listen(block)
        weights = (self._sign / max(1, int(self._active.sum()))).astype(np.float32)
        before = weights if self._weights is None else self._weights
        self._weights = weights
        if np.array_equal(before, weights):
            return np.asarray(weights @ block, np.float32)
        ramp = min(self._ramp, block.shape[1])
        share = np.ones(block.shape[1], np.float32)
        share[:ramp] = np.linspace(0, 1, ramp, dtype=np.float32)
        return np.asarray((before @ block) * (1 - share) + (weights @ block) * share, np.float32)

    def _listen(self, block: Samples) -> None:
        """Learn from this block which channels are active, and which run against the loudest."""
        energy = np.where(self._heard, np.einsum("cs,cs->c", block, block), 0)
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
        sign[correlation < AGAINST] = -1
        sign[correlation > WITH] = 1
        self._sign[audible] = sign


class Resampler:
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
