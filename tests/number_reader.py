"""A voice that counts: flite says each number, with uneven pauses and speeds, at known places."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.sounds import RATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.sounds import Pcm

VOICES = ("slt", "rms", "kal16")  # that Whisper base understands; of "awb" it hears the digits
LOUD = 300  # of 32 768: the first and the last louder sample are a number's edges


@dataclass(frozen=True)
class Number:
    """A number and where it is spoken, samples at 16 kHz."""

    value: int
    start: int
    end: int


@dataclass(frozen=True)
class Reading:
    """Counting: int16 [samples] at 16 kHz, with the numbers in it."""

    samples: Pcm
    numbers: tuple[Number, ...]

    @property
    def values(self) -> list[int]:
        return [number.value for number in self.numbers]


def count(values: Iterable[int], voice: str, seed: int, longest_pause_s: float = 0.7) -> Reading:
    """Return a voice that counts. Skips the test where flite is not installed."""
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed")
    rng = random.Random(f"{voice} {seed}")
    parts, numbers, at = [np.zeros(RATE // 2, np.int16)], list[Number](), RATE // 2
    for value in values:
        sound = _say(str(value), voice, stretch=rng.uniform(0.9, 1.3))
        pause = np.zeros(round(rng.uniform(0.02, longest_pause_s) * RATE), np.int16)
        numbers.append(Number(value, at, at + len(sound)))
        parts += [sound, pause]
        at += len(sound) + len(pause)
    return Reading(np.concatenate(parts), tuple(numbers))


def _say(text: str, voice: str, stretch: float) -> Pcm:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "said.wav")
        speed = ("--setf", f"duration_stretch={stretch:.3f}")
        subprocess.run(["flite", "-voice", voice, *speed, "-t", text, "-o", str(path)], check=True)
        with wave.open(str(path)) as file:
            assert file.getframerate() == RATE
            sound = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > LOUD)
    return sound[loud[0] : loud[-1] + 1]
