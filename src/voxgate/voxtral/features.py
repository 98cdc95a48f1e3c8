"""Log-mel features: the encoder's input (voxtral-model.md A.2).

The scale is Whisper's, with one important difference: it is set once for the whole pass, not for
each chunk of 30 s, and frames cross the borders of chunks.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

SAMPLE_RATE = 16_000  # Hz
HOP_LENGTH = 160  # samples from frame to frame: 10 ms
N_FFT = 400  # samples of a frame: 25 ms
N_FREQS = N_FFT // 2 + 1
CHUNK_S = 30
CHUNK_SAMPLES = CHUNK_S * SAMPLE_RATE
CHUNK_FRAMES = CHUNK_SAMPLES // HOP_LENGTH  # 3000
MAX_CHUNKS = 20  # of one pass: 10 minutes, longer passes give broken transcripts
LOWEST_POWER = 1e-10
RANGE_LOG10 = 8.0  # quieter bins are raised to so many decades below the loudest one


def prepare_samples(waveform: np.ndarray | Sequence[float] | Tensor) -> Tensor:
    """Return mono audio at 16 kHz as float32 [n] with the precision of PCM16.

    The reference sends audio through a WAV file, whose writer (libsndfile) floors and clips to
    16 bits. Raises `UsageError` for no samples, another shape, samples that are not finite, and
    more than 600 s.
    """
    samples = torch.as_tensor(np.asarray(waveform, dtype=np.float32))
    if samples.dim() != 1:
        raise UsageError(
            f"The audio has the shape {tuple(samples.shape)}. Give one channel: an array of "
            f"samples at {SAMPLE_RATE} Hz."
        )
    if not len(samples):
        raise UsageError("The audio has no samples. Give at least one.")
    if len(samples) > MAX_CHUNKS * CHUNK_SAMPLES:
        raise UsageError(
            f"The audio lasts {len(samples) / SAMPLE_RATE:.1f} s, longer than one pass accepts "
            f"({MAX_CHUNKS * CHUNK_S} s). Cut it at a pause first."
        )
    if not bool(torch.isfinite(samples).all()):
        raise UsageError("The audio has samples that are not finite. Decode it again.")
    # Round to 32 bits, then drop the lower 16: tiny negative samples become 0, not -1.
    wide = (samples * 2.0**31).round_() / 2.0**16
    return wide.floor_().clamp_(-32768.0, 32767.0) / 32768.0


def count_chunks(samples: Tensor) -> int:
    """Return how many chunks of 30 s the samples fill, the last one perhaps in part."""
    return -(-len(samples) // CHUNK_SAMPLES)


def log_mel(samples: Tensor, mels: int = 128) -> Tensor:
    """Return features [chunks, mels, 3000], float32, of samples [n] padded to whole chunks."""
    chunks = count_chunks(samples)
    padded = F.pad(samples, (0, chunks * CHUNK_SAMPLES - len(samples)))
    window = torch.hann_window(N_FFT, device=samples.device)
    spectrum = torch.stft(
        padded, N_FFT, HOP_LENGTH, window=window, center=True, pad_mode="reflect",
        return_complex=True,
    )  # fmt: skip
    power = spectrum[:, :-1].abs() ** 2  # [201, 3000 * chunks]: drop the frame past the end
    energy = mel_filters(mels).to(samples.device).T @ power
    decades = energy.clamp(min=LOWEST_POWER).log10()
    decades = decades.maximum(decades.max() - RANGE_LOG10)  # of the whole pass
    scaled = (decades + 4.0) / 4.0
    return scaled.reshape(mels, chunks, CHUNK_FRAMES).transpose(0, 1).contiguous()


@cache
def mel_filters(mels: int) -> Tensor:
    """Return triangular filters [201, mels] of equal area on Slaney's mel scale, 0 to 8000 Hz."""
    edges = _mel_to_hertz(np.linspace(_hertz_to_mel(0.0), _hertz_to_mel(SAMPLE_RATE / 2), mels + 2))
    bins = np.linspace(0.0, SAMPLE_RATE / 2, N_FREQS)
    rising = (bins[:, None] - edges[None, :-2]) / np.diff(edges)[:-1]
    falling = (edges[None, 2:] - bins[:, None]) / np.diff(edges)[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return torch.from_numpy(triangles * (2.0 / (edges[2:] - edges[:-2]))).float()


# Slaney's mel scale: linear below 1 kHz, logarithmic above.
_LINEAR_HZ, _LINEAR_MEL = 1000.0, 15.0
_LOG_STEP = np.log(6.4) / 27.0


def _hertz_to_mel(hertz: float) -> float:
    if hertz < _LINEAR_HZ:
        return 3.0 * hertz / 200.0
    return float(_LINEAR_MEL + np.log(hertz / _LINEAR_HZ) / _LOG_STEP)


def _mel_to_hertz(mel: np.ndarray) -> np.ndarray:
    logarithmic = _LINEAR_HZ * np.exp(_LOG_STEP * (mel - _LINEAR_MEL))
    return np.where(mel < _LINEAR_MEL, 200.0 * mel / 3.0, logarithmic)
