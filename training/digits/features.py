"""Log-mel features of clips shorter than a window, for training.

The extractor of transformers pads everything to 30 s, which is most of the work. Here the padding
is left out, or filled in as a constant.
"""

from __future__ import annotations

from functools import cache

import torch
from torch.nn.functional import pad
from transformers.audio_utils import mel_filter_bank

from training.digits.recordings import RATE

MELS = 128
FRAME = RATE // 100
"""Samples between two frames (the hop length)."""

TOKEN = 8 * FRAME
"""Samples of an audio token: 80 ms. The convolutions and the grouping make one of 8 frames."""

WINDOW_FRAMES = 3000
FFT = 400
FLOOR = 8.0
"""Decades below the loudest value of the recording, to which quieter values are raised."""


def log_mel(waves: torch.Tensor) -> torch.Tensor:
    """Return features [rows, mels, frames] of waves [rows, samples] of whole tokens."""
    spectrum = torch.stft(waves, FFT, FRAME, window=_hann(), center=True, return_complex=True)
    power = spectrum[..., :-1].abs() ** 2
    decades = torch.log10(torch.clamp(_filters().T @ power, min=1e-10))
    decades = torch.maximum(decades, decades.amax((1, 2), keepdim=True) - FLOOR)
    return (decades + 4) / 4


def window_log_mel(waves: torch.Tensor) -> torch.Tensor:
    """Return features [rows, mels, 3000], as of waves padded to 30 s, with less work."""
    samples = min(
        WINDOW_FRAMES * FRAME, waves.shape[1] + 5 * FRAME
    )  # more than a window of the FFT
    samples = -(-samples // TOKEN) * TOKEN
    features = log_mel(pad(waves, (0, samples - waves.shape[1])))
    floor = features.amax((1, 2), keepdim=True) - FLOOR / 4
    floor = torch.clamp(floor, min=-1.5)  # log10 of the least power, 1e-10, scaled
    rest = floor.expand(-1, MELS, WINDOW_FRAMES - features.shape[2])
    return torch.cat([features, rest], 2)


@cache
def _hann() -> torch.Tensor:
    return torch.hann_window(FFT)


@cache
def _filters() -> torch.Tensor:
    """Return Slaney's filters [bins, mels]."""
    bank = mel_filter_bank(
        num_frequency_bins=FFT // 2 + 1,
        num_mel_filters=MELS,
        min_frequency=0.0,
        max_frequency=RATE / 2,
        sampling_rate=RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.tensor(bank, dtype=torch.float32)
