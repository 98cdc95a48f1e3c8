"""Clips: digits joined with pauses, as in a window of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.digits.recordings import RATE, WORDS
from training.digits.sounds import background, wordless

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from training.digits.recordings import Recordings

WINDOW = 30 * RATE
"""Samples of one model input."""

EMPTY = 0.07
"""Share of the clips without speech."""

MIXED = 0.25
"""Share of the clips with several speakers, one for each digit."""

SHORTEST_PAUSE_S = 0.1


@dataclass(frozen=True)
class Clip:
    """A wave, float32 [samples] at 16 kHz, its digits, and the samples [start, end) of each."""

    wave: NDArray[np.float32]
    digits: tuple[int, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def text(self) -> str:
        """The spoken words."""
        return " ".join(WORDS[digit] for digit in self.digits)


@dataclass(frozen=True)
class Layout:
    """The layout of a clip. Times are in seconds; pauses last from 0.1 s to `pause_s`."""

    fewest: int
    most: int
    lead_s: tuple[float, float] = (0.05, 0.6)
    pause_s: float = 0.5
    tail_s: tuple[float, float] = (0.05, 0.5)
    window: bool = False

    @property
    def typical_s(self) -> float:
        """The approximate duration of a long row, the most for clips without words."""
        spoken_s = self.most * (0.45 + (SHORTEST_PAUSE_S + self.pause_s) / 2)
        typical_s = sum(self.lead_s) / 2 + spoken_s + sum(self.tail_s) / 2
        return WINDOW / RATE if self.window else min(WINDOW / RATE, typical_s)


def clean(
    recordings: Recordings, layout: Layout, random: Generator, speaker: str | None = None
) -> Clip:
    """Draw digits of one speaker in digital silence, unaltered, for evaluation."""
    speaker = speaker or str(random.choice(recordings.speakers))
    count = int(random.integers(layout.fewest, layout.most + 1))
    digits = [int(digit) for digit in random.integers(0, len(WORDS), count)]
    return _join(
        digits, [_take(recordings, speaker, digit, random) for digit in digits], layout, random
    )


def augmented(
    recordings: Recordings, layout: Layout, random: Generator, repeats: float = 0.0
) -> Clip:
    """Draw a training clip: varied level, background noise, one speaker, several, or none.

    `repeats` is the share of digits that are said again, beyond those by chance.
    """
    if random.random() < EMPTY:
        seconds = (
            layout.typical_s if random.random() < 0.5 else random.uniform(0.3, layout.typical_s)
        )
        return Clip(_pcm16(wordless(random, int(seconds * RATE))))
    count = int(random.integers(layout.fewest, layout.most + 1))
    digits = [int(digit) for digit in random.integers(0, len(WORDS), count)]
    if repeats:
        for place in range(1, count):
            if random.random() < repeats:
                digits[place] = digits[place - 1]
    names = random.choice(recordings.speakers, count if random.random() < MIXED else 1)
    voices = np.resize(names, count)
    waves = [
        _take(recordings, str(voice), digit, random) * _gain(random, -4, 4)
        for voice, digit in zip(voices, digits, strict=True)
    ]
    return _with_background(_join(digits, waves, layout, random), random)


def _take(
    recordings: Recordings, speaker: str, digit: int, random: Generator
) -> NDArray[np.float32]:
    takes = recordings.waves[speaker][digit]
    return takes[int(random.integers(len(takes)))]


def _join(
    digits: list[int], waves: list[NDArray[np.float32]], layout: Layout, random: Generator
) -> Clip:
    """Join the waves with pauses, as many as fit into a window."""
    position = int(random.uniform(*layout.lead_s) * RATE)
    spans: list[tuple[int, int]] = []
    for wave in waves:
        if spans and position + len(wave) > WINDOW:
            break
        position = max(0, min(position, WINDOW - len(wave)))
        spans.append((position, position + len(wave)))
        position += len(wave) + int(random.uniform(SHORTEST_PAUSE_S, layout.pause_s) * RATE)
    end = min(WINDOW, spans[-1][1] + int(random.uniform(*layout.tail_s) * RATE))
    sound = np.zeros(end, np.float32)
    for (start, stop), wave in zip(spans, waves, strict=False):
        sound[start:stop] = wave
    return Clip(sound, tuple(digits[: len(spans)]), tuple(spans))


def _with_background(clip: Clip, random: Generator) -> Clip:
    """Change the clip's level and, mostly, add noise that is 18 to 50 dB quieter."""
    loudest = max(1e-4, float(np.abs(clip.wave).max()))
    wave = clip.wave * min(_gain(random, -12, 14), 1 / loudest)
    if random.random() < 0.7:
        noise = background(random, len(wave))
        speech = np.concatenate([wave[start:end] for start, end in clip.spans])
        ratio = float(np.sqrt(np.mean(speech**2)) / np.sqrt(np.mean(noise**2)))
        wave = wave + noise * ratio * _gain(random, -50, -18)
    return Clip(_pcm16(wave), clip.digits, clip.spans)


def _gain(random: Generator, low_db: float, high_db: float) -> float:
    return float(10 ** (random.uniform(low_db, high_db) / 20))


def _pcm16(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round as the processor of transformers does, which sends audio through a PCM16 file."""
    pcm = np.clip(np.floor(wave * 32768), -32768, 32767).astype(np.float32)
    return pcm / np.float32(32768)
