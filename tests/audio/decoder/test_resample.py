from __future__ import annotations

import numpy as np
import pytest

from voxgate.audio.decoder.resample import Resampler, to_pcm16


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("samples", [1, 2, 441, 44_100, 100_001])
def test_the_total_length_is_exact_for_any_block_size(rate: int, samples: int) -> None:
    sound = np.sin(np.arange(samples) / 20).astype(np.float32)
    resample = Resampler(rate)
    parts = [resample(sound[at : at + 7_000]) for at in range(0, samples, 7_000)]
    parts.append(resample.flush())
    assert len(b"".join(parts)) // 2 == round(samples * 16_000 / rate)


def test_a_tone_keeps_its_frequency_phase_and_level() -> None:
    """440 Hz at 44.1 kHz is 440 Hz at 16 kHz."""
    sound = (0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)).astype(np.float32)
    resample = Resampler(44_100)
    actual = np.frombuffer(resample(sound) + resample.flush(), "<i2") / 32768
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert np.abs(actual - expected)[200:-200].max() < 1e-3


def test_pcm16_is_unchanged() -> None:
    values = np.arange(-32768, 32768, dtype=np.int16)
    assert np.array_equal(np.frombuffer(to_pcm16((values / 32768).astype("f4")), "<i2"), values)


def test_loud_samples_are_clipped_and_nan_is_silence() -> None:
    samples = np.array([2.0, -2.0, np.nan, np.inf, -np.inf, 1.0], np.float32)
    assert np.frombuffer(to_pcm16(samples), "<i2").tolist() == [
        32767, -32768, 0, 32767, -32768, 32767,
    ]  # fmt: skip
