"""Voices count from 1 to 300: what the cuts between windows lose, and what the model mishears.

    python -m benchmarks.number_reader

The same sound is transcribed as a whole, and in parts that are cut in known pauses. What is lost
in the parts as well was misheard. It needs flite.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.number_reader import VOICES, Reading, count
from tests.pipeline.test_number_reader import PCM, heard, windows_of
from tests.sounds import RATE

from benchmarks.table import Row, show
from voxgate.pipeline.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sounds import Pcm

MODEL = "openai/whisper-base"
SEED = 1
LONGEST_S = 28


async def _row(session: Session, voice: str) -> Row:
    reading = count(range(1, 301), voice, SEED)
    whole = await _heard(session, reading.samples)
    parts = [number for part in _parts(reading) for number in await _heard(session, part)]
    windows = await windows_of(reading)
    borders = [border for window in windows for border in (window.start, window.end)]
    cut = sum(n.start < border < n.end for n in reading.numbers for border in borders)
    return Row(
        f"{voice}, {len(reading.samples) / RATE:.0f} s, {len(windows)} windows, {cut} cut numbers",
        _losses(reading, whole),
        f"cut in known pauses: {_losses(reading, parts)}",
    )


def _parts(reading: Reading) -> Iterator[Pcm]:
    """Yield the sound in parts of less than `LONGEST_S`, each with whole numbers."""
    start = 0
    for number, after in zip(reading.numbers, reading.numbers[1:], strict=False):
        if after.end - start > LONGEST_S * RATE:
            middle = (number.end + after.start) // 2
            yield reading.samples[start:middle]
            start = middle
    yield reading.samples[start:]


async def _heard(session: Session, samples: Pcm) -> list[int]:
    transcript = await session.transcribe(samples.tobytes(), model=MODEL, name="numbers", pcm=PCM)
    return heard(transcript.text)


def _losses(reading: Reading, numbers: list[int]) -> str:
    lost = set(reading.values) - set(numbers)
    doubled = len(numbers) - len(set(numbers))
    return f"{len(numbers)} numbers; {len(lost)} lost, {doubled} doubled"


async def main() -> None:
    """Print the table. Takes three minutes."""
    async with Session() as session:
        show([await _row(session, voice) for voice in VOICES])


if __name__ == "__main__":
    asyncio.run(main())
