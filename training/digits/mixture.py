"""Clips: digits strung together with pauses, as a window of a recording would hold them."""

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
"""Samples that the model hears at once."""

EMPTY = 0.07
"""Share of the clips in which nobody speaks."""

MIXED = 0.25
"""Share of the clips in which any speaker says each digit."""

SHORTEST_PAUSE_S = 0.1


@dataclass(frozen=True)
class Clip:
    """A wave, float32 [samples] at 16 kHz; the digits in it; and samples [start, end) of each."""

    wave: NDArray[np.float32]
    digits: tuple[int, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def text(self) -> str:
        """The words that are said."""
        return " ".join(WORDS[digit] for digit in self.digits)


@dataclass(frozen=True)
class Layout:
    """How a clip is laid out. Times in seconds; the pauses are drawn between 0.1 and `pause_s`."""

    fewest: int
    most: int
    lead_s: tuple[float, float] = (0.05, 0.6)
    pause_s: float = 0.5
    tail_s: tuple[float, float] = (0.05, 0.5)
    window: bool = False

    @property
    def typical_s(self) -> float:
        """About how long a long row is: as long as clips without words may be."""
        spoken_s = self.most * (0.45 + (SHORTEST_PAUSE_S + self.pause_s) / 2)
        typical_s = sum(self.lead_s) / 2 + spoken_s + sum(self.tail_s) / 2
        return WINDOW / RATE if self.window else min(WINDOW / RATE, typical_s)


def clean(
    recordings: Recordings, layout: Layout, random: Generator, speaker: str | None = None
) -> Clip:
    """Digits of one speaker in digital silence, nothing altered: what is measured on."""
    speaker = speaker or str(random.choice(recordings.speakers))
    count = int(random.integers(layout.fewest, layout.most + 1))
    digits = [int(digit) for digit in random.integers(0, len(WORDS), count)]
    return _strung(
        digits, [_take(recordings, speaker, digit, random) for digit in digits], layout, random
    )


def augmented(recordings: Recordings, layout: Layout, random: Generator) -> Clip:
    """What is trained on: other levels, background noise, sometimes several speakers, or nobody."""
    if random.random() < EMPTY:
        seconds = (
            layout.typical_s if random.random() < 0.5 else random.uniform(0.3, layout.typical_s)
        )
        return Clip(_pcm16(wordless(random, int(seconds * RATE))))
    count = int(random.integers(layout.fewest, layout.most + 1))
    digits = [int(digit) for digit in random.integers(0, len(WORDS), count)]
    names = random.choice(recordings.speakers, count if random.random() < MIXED else 1)
    voices = np.resize(names, count)
    waves = [
        _take(recordings, str(voice), digit, random) * _gain(random, -4, 4)
        for voice, digit in zip(voices, digits, strict=True)
    ]
    return _behind(_strung(digits, waves, layout, random), random)


def _take(
    recordings: Recordings, speaker: str, digit: int, random: Generator
) -> NDArray[np.float32]:
    takes = recordings.waves[speaker][digit]
    return takes[int(random.integers(len(takes)))]


def _strung(
    digits: list[int], waves: list[NDArray[np.float32]], layout: Layout, random: Generator
) -> Clip:
    """The waves one after another, as many as fit into a window."""
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


def _behind(clip: Clip, random: Generator) -> Clip:
    """The clip at another level and, mostly, with 18 to 50 dB quieter noise behind it."""
    loudest = max(1e-4, float(np.abs(clip.wave).max()))
    wave = clip.wave * min(_gain(random, -12, 14), 1 / loudest)
    if random.random() < 0.7:
        behind = background(random, len(wave))
        speech = np.concatenate([wave[start:end] for start, end in clip.spans])
        ratio = float(np.sqrt(np.mean(speech**2)) / np.sqrt(np.mean(behind**2)))
        wave = wave + behind * ratio * _gain(random, -50, -18)
    return Clip(_pcm16(wave), clip.digits, clip.spans)


def _gain(random: Generator, low_db: float, high_db: float) -> float:
    return float(10 ** (random.uniform(low_db, high_db) / 20))


def _pcm16(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rounded as transformers' processor does, which sends every sound through a PCM16 file."""
    pcm = np.clip(np.floor(wave * 32768), -32768, 32767).astype(np.float32)
    return pcm / np.float32(32768)
