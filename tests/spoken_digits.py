"""Recordings of known words at known times, put together from held-out takes of spoken digits.

The takes are those of the Free Spoken Digit Dataset that `training.digits` never trains on. They
are 8 kHz and so are these recordings: the product resamples them.
"""

from __future__ import annotations

import os
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jiwer
import numpy as np
import pytest

from voxgate.voxtral.features import SAMPLE_RATE

if TYPE_CHECKING:
    import random

    from tests.sounds import Pcm

CHECKPOINT = Path(__file__).parent / "data" / "voxtral-digits"
ANSWERS = CHECKPOINT.with_name("voxtral-digits-answers")
"""The same that answers questions, too."""

FILES = tuple(  # an engine may have left its quantised weights beside them
    file for file in sorted(CHECKPOINT.iterdir()) if file.is_file()
)
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 8_000
HELD_OUT = range(5)  # takes
BLOCK = 80  # samples: 10 ms
ROOM_DB = 40  # below a word's loudest 10 ms: quieter than its consonants


@dataclass(frozen=True)
class Said:
    """One word and when it is spoken, seconds."""

    word: str
    start: float
    end: float


@dataclass(frozen=True)
class Spoken:
    """A recording, int16 [samples] at 8 kHz, with what is said in it."""

    samples: Pcm
    said: tuple[Said, ...]

    @property
    def text(self) -> str:
        return " ".join(said.word for said in self.said)

    def save(self, path: Path) -> Path:
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(self.samples.astype("<i2").tobytes())
        return path

    def at_16_khz(self) -> np.ndarray:
        """float32 [samples] as the model takes it."""
        import soxr  # noqa: PLC0415 (the few tests that feed the model itself)

        return np.asarray(
            soxr.resample(self.samples.astype(np.float32) / 32768, RATE, SAMPLE_RATE)
        ).astype(np.float32)


def takes() -> dict[str, list[Path]]:
    """The held-out takes of each speaker; skips where there are no recordings."""
    folder = Path(os.environ.get("VOXGATE_AUDIO", "")) / "digits"
    if not os.environ.get("VOXGATE_AUDIO") or not folder.is_dir():
        pytest.skip("VOXGATE_AUDIO names no folder of recordings")
    return {
        speaker.name: sorted(
            take for take in speaker.glob("*.wav") if int(take.stem.rpartition("_")[2]) in HELD_OUT
        )
        for speaker in sorted(folder.iterdir())
        if speaker.is_dir()
    }


def phrase(
    rng: random.Random, takes: list[Path], digits: int, gap_s: tuple[float, float] = (0.1, 0.4)
) -> Spoken:
    """So many digits of one speaker, with silence of this length between them, and 0.3 s around."""
    parts, said = [silence(0.3)], list[Said]()
    for number in range(digits):
        take = rng.choice(takes)
        if number:
            parts.append(silence(rng.uniform(*gap_s)))
        at = sum(map(len, parts))
        parts.append(read(take))
        start, end = heard_in(parts[-1])
        said.append(Said(WORDS[int(take.name[0])], (at + start) / RATE, (at + end) / RATE))
    return Spoken(np.concatenate([*parts, silence(0.3)]), tuple(said))


def heard_in(take: Pcm) -> tuple[int, int]:
    """Return the samples between which the word of a take is heard.

    Those of some speakers have up to 0.3 s of their room before it: no place of the word.
    """
    blocks = take[: len(take) // BLOCK * BLOCK].reshape(-1, BLOCK).astype(np.float64)
    energy_db = 10 * np.log10(np.square(blocks).mean(axis=1) + 1)
    loud = np.flatnonzero(energy_db > energy_db.max() - ROOM_DB)
    return int(loud[0]) * BLOCK, (int(loud[-1]) + 1) * BLOCK


def joined(phrases: list[Spoken], pauses_s: list[float]) -> Spoken:
    """Phrases one after another, each followed by its pause."""
    parts, said, start = list[np.ndarray](), list[Said](), 0
    for each, pause_s in zip(phrases, pauses_s, strict=True):
        at = start / RATE
        said += [Said(word.word, word.start + at, word.end + at) for word in each.said]
        parts += [each.samples, silence(pause_s)]
        start += len(parts[-2]) + len(parts[-1])
    return Spoken(np.concatenate(parts), tuple(said))


def silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * RATE), np.int16)


def read(take: Path) -> Pcm:
    with wave.open(str(take), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)


def matched(said: str, heard: str) -> list[tuple[int, int]]:
    """The places of equal or mistaken words in both, by the alignment of the error rate."""
    (alignment,) = jiwer.process_words(said, heard).alignments
    return [
        (chunk.ref_start_idx + k, chunk.hyp_start_idx + k)
        for chunk in alignment
        if chunk.type in {"equal", "substitute"}
        for k in range(chunk.ref_end_idx - chunk.ref_start_idx)
    ]
