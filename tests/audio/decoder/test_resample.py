from __future__ import annotations

import numpy as np
import pytest

from voxgate.audio.decoder.resample import Resampler, to_pcm16


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("samples", [1, 2, 441, 44_100, 100_001])
def test_the_length_is_exact_whatever_the_blocks(rate: int, samples: int) -> None:
    sound = np.sin(np.arange(samples) / 20).astype(np.float32)
    resample = Resampler(rate)
    parts = [resample(sound[at : at + 7_000]) for at in range(0, samples, 7_000)]
    parts.append(resample.flush())
    assert len(b"".join(parts)) // 2 == round(samples * 16_000 / rate)


def test_a_tone_stays_where_it_is() -> None:
    """440 Hz at 44.1 kHz is 440 Hz at 16 kHz, in phase, at its level."""
    sound = (0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)).astype(np.float32)
    resample = Resampler(44_100)
    heard = np.frombuffer(resample(sound) + resample.flush(), "<i2") / 32768
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert np.abs(heard - wanted)[200:-200].max() < 1e-3


def test_pcm16_survives_exactly() -> None:
    every = np.arange(-32768, 32768, dtype=np.int16)
    assert np.array_equal(np.frombuffer(to_pcm16((every / 32768).astype("f4")), "<i2"), every)


def test_too_loud_is_clipped_and_not_a_number_is_silence() -> None:
    wild = np.array([2.0, -2.0, np.nan, np.inf, -np.inf, 1.0], np.float32)
    assert np.frombuffer(to_pcm16(wild), "<i2").tolist() == [
        32767, -32768, 0, 32767, -32768, 32767,
    ]  # fmt: skip
