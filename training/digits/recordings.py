"""Recordings of the Free Spoken Digit Dataset: `<speaker>/<digit>_<speaker>_<take>.wav`."""

from __future__ import annotations

import os
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

RATE = 16_000
"""Sample rate of the model in Hz; the recordings have 8 000."""

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

TRAINING_TAKES = range(5, 50)
TEST_TAKES = range(5)
ALL_TAKES = range(50)


def folder() -> Path:
    """Return the data set's directory, in that of VOXGATE_AUDIO."""
    checkout = Path(__file__).parents[2]
    audio = checkout / os.environ.get("VOXGATE_AUDIO", "../shared/audio")
    if not (audio / "digits").is_dir():
        raise SystemExit(
            f"The directory {audio / 'digits'} does not exist. Set VOXGATE_AUDIO to a directory"
            " whose `digits` contains the Free Spoken Digit Dataset, one directory per speaker."
        )
    return audio / "digits"


def speakers() -> tuple[str, ...]:
    """Return the names of all speakers, in alphabetical order."""
    return tuple(sorted(path.name for path in folder().iterdir() if path.is_dir()))


@dataclass(frozen=True)
class Recordings:
    """Waves by speaker and digit, float32 [samples] at 16 kHz."""

    waves: Mapping[str, Mapping[int, Sequence[NDArray[np.float32]]]]

    @property
    def speakers(self) -> tuple[str, ...]:
        """The names of the speakers."""
        return tuple(self.waves)

    @classmethod
    def load(
        cls, names: Sequence[str], takes: Collection[int], speeds: Sequence[float] = (1.0,)
    ) -> Recordings:
        """Load takes of these speakers, each at every speed: 1.16 is faster and higher."""
        return cls({name: _digits(folder() / name, takes, speeds) for name in names})


def _digits(
    speaker: Path, takes: Collection[int], speeds: Sequence[float]
) -> dict[int, list[NDArray[np.float32]]]:
    waves: dict[int, list[NDArray[np.float32]]] = {digit: [] for digit in range(len(WORDS))}
    for path in sorted(speaker.glob("*.wav")):
        digit, _, take = path.stem.split("_")
        if int(take) in takes:
            sound, rate = _read(path)
            for speed in speeds:
                resampled = soxr.resample(sound, rate * speed, RATE, quality="HQ")
                waves[int(digit)].append(np.asarray(resampled, np.float32))
    if not all(waves.values()):
        raise SystemExit(f"{speaker} lacks the takes {min(takes)} to {max(takes)} of some digit.")
    return waves


def _read(path: Path) -> tuple[NDArray[np.float32], int]:
    """Return the samples of a mono PCM16 file in [-1, 1), and its sample rate."""
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return pcm.astype(np.float32) / np.float32(32768), file.getframerate()
