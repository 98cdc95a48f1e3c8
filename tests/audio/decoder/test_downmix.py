from __future__ import annotations

import numpy as np
import pytest

from tests.sounds import sample
from voxgate.audio.decoder.resample import Downmix, Samples

RATE = 16_000
VOICE: Samples = (sample() / 32768).astype(np.float32)


def mix(channels: Samples, names: list[str]) -> Samples:
    """Mix all channels in blocks of a second."""
    downmix = Downmix(RATE, names)
    return np.concatenate(
        [downmix(channels[:, at : at + RATE]) for at in range(0, channels.shape[1], RATE)]
    )


def level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples.astype(float) ** 2)))


def test_mono_is_unchanged() -> None:
    assert np.array_equal(mix(VOICE[None], ["FC"]), VOICE)


def test_equal_channels_give_the_same_samples() -> None:
    assert np.allclose(mix(np.stack([VOICE, VOICE]), ["FL", "FR"]), VOICE, atol=1e-6)


@pytest.mark.parametrize("gain", [-1.0, -0.5, -0.25])
def test_a_channel_in_anti_phase_is_inverted(gain: float) -> None:
    mono = mix(np.stack([VOICE, np.float32(gain) * VOICE]), ["FL", "FR"])
    assert level(mono) > 0.6 * level(VOICE)
    assert np.corrcoef(mono, VOICE)[0, 1] > 0.999


def test_a_channel_that_is_inverted_in_the_middle_does_not_click() -> None:
    right = VOICE.copy()
    right[len(right) // 2 :] *= -1
    mono = mix(np.stack([VOICE, right]), ["FL", "FR"])
    steps = np.abs(np.diff(mono))
    assert level(mono[-RATE * 3 :]) > 0.9 * level(VOICE[-RATE * 3 :])
    assert steps.max() < 1.5 * np.abs(np.diff(VOICE)).max()


def test_one_sided_stereo_keeps_its_level() -> None:
    silence = np.zeros_like(VOICE)
    for pair in ([VOICE, silence], [silence, VOICE]):
        assert level(mix(np.stack(pair), ["FL", "FR"])) == pytest.approx(level(VOICE), rel=0.01)


def test_two_people_on_two_channels_are_both_audible() -> None:
    half = len(VOICE) // 2
    left, right = VOICE.copy(), VOICE.copy()
    left[half:], right[:half] = 0, 0
    mono = mix(np.stack([left, right]), ["FL", "FR"])
    assert level(mono[half:]) > 0.45 * level(VOICE[half:])
    assert level(mono[:half]) > 0.45 * level(VOICE[:half])


def test_the_lfe_channel_is_left_out() -> None:
    rumble = np.sin(np.arange(len(VOICE)) * 2 * np.pi * 40 / RATE).astype(np.float32)
    six = np.zeros((6, len(VOICE)), np.float32)
    six[2], six[3] = VOICE, rumble
    assert np.allclose(mix(six, ["FL", "FR", "FC", "LFE", "BL", "BR"]), VOICE, atol=1e-6)


def test_independent_channels_are_averaged() -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, (2, RATE * 3)).astype(np.float32)
    assert np.allclose(mix(noise, ["FL", "FR"]), noise.mean(0), atol=1e-6)


def test_silence_remains_silence() -> None:
    assert not mix(np.zeros((2, RATE), np.float32), ["FL", "FR"]).any()


@pytest.mark.parametrize("name", ["LFE", "LFE2"])
def test_channels_of_low_frequencies_are_left_out(name: str) -> None:
    rumble = np.full_like(VOICE, 0.5)
    assert np.allclose(mix(np.stack([VOICE, rumble]), ["FC", name]), VOICE, atol=1e-6)
