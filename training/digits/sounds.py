"""Sounds without words: silence, noise, mains hum, tones and chords.

A model trained without them invents a word for each, because no target was ever empty.
Each function returns float32 [samples] at 16 kHz with a peak of about 1, silence excepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.digits.recordings import RATE

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

QUIETEST_DB, LOUDEST_DB = -75.0, -1.0
"""Peaks of wordless sounds, in dB below full scale."""


def wordless(random: Generator, samples: int) -> NDArray[np.float32]:
    """Draw any such sound at any level; a third of them sound only part of the time."""
    kinds = (silence, noise, noise, hum, tone, chord, chord)
    sound = kinds[random.integers(len(kinds))](random, samples)
    sound *= 10 ** (random.uniform(QUIETEST_DB, LOUDEST_DB) / 20)
    if random.random() < 1 / 3:
        begin, end = sorted(random.integers(0, samples, 2))
        sound[:begin] = sound[end:] = 0
    if random.random() < 1 / 3:
        sound += noise(random, samples) * 10 ** (random.uniform(-80, -40) / 20)
    return sound


def background(random: Generator, samples: int) -> NDArray[np.float32]:
    """Draw a background for speech: noise, or sometimes hum."""
    return (hum if random.random() < 0.15 else noise)(random, samples)


def silence(random: Generator, samples: int) -> NDArray[np.float32]:  # noqa: ARG001 - the signature of all sounds
    """Digital silence."""
    return np.zeros(samples, np.float32)


def noise(random: Generator, samples: int) -> NDArray[np.float32]:
    """Noise whose power falls by 0 (white), 3 (pink) or 6 (brown) dB an octave, or in between."""
    spectrum = np.fft.rfft(random.standard_normal(samples, np.float32))
    hertz = np.fft.rfftfreq(samples, 1 / RATE)
    spectrum *= np.maximum(hertz, 20.0) ** -random.choice([0, 0, 0.5, 0.5, 1, random.random()])
    return _normalize_peak(np.fft.irfft(spectrum, samples))


def hum(random: Generator, samples: int) -> NDArray[np.float32]:
    """Mains hum: 50 or 60 Hz and its harmonics."""
    return _normalize_peak(
        _harmonics(random, samples, float(random.choice([50, 60])), int(random.integers(2, 12)))
    )


def tone(random: Generator, samples: int) -> NDArray[np.float32]:
    """One steady sine, 60 to 6 000 Hz."""
    return _normalize_peak(_harmonics(random, samples, 60 * 100 ** float(random.random()), 1))


def chord(random: Generator, samples: int) -> NDArray[np.float32]:
    """Two to five notes with harmonics, held or struck again and again."""
    root = 55 * 2 ** float(random.uniform(0, 4))
    steps = random.choice(20, int(random.integers(2, 6)), replace=False)
    notes = [root * 2 ** (step / 12) for step in steps]
    sound = sum(_harmonics(random, samples, note, int(random.integers(1, 7))) for note in notes)
    if random.random() < 0.5:
        every_s, decay_s = random.uniform(0.2, 4), random.uniform(0.1, 2)
        sound *= np.exp(-(np.arange(samples) / RATE % every_s) / decay_s)
    return _normalize_peak(np.asarray(sound))


def _harmonics(
    random: Generator, samples: int, hertz: float, harmonics: int
) -> NDArray[np.float64]:
    """Return a fundamental and harmonics up to 8 kHz with random phases, the n-th 1/n as strong."""
    seconds = np.arange(samples) / RATE
    orders = [n for n in range(1, harmonics + 1) if n == 1 or n * hertz < RATE / 2]
    phases = random.uniform(0, 2 * np.pi, len(orders))
    waves = (
        np.sin(2 * np.pi * n * hertz * seconds + phase) / n
        for n, phase in zip(orders, phases, strict=True)
    )
    return np.asarray(sum(waves))


def _normalize_peak(sound: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(sound / max(1e-9, float(np.abs(sound).max())), np.float32)
