"""Counting aloud, so that a number lost or said twice at a cut would show."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from tests.decoding import decode
from tests.number_reader import Reading, count
from tests.sounds import RATE
from tests.whisper.weights import whisper_folder
from voxgate.audio.pcm import PcmDeclaration
from voxgate.audio.vad import SpeechDetector, SpeechRules
from voxgate.audio.windows import Window, WindowPlanner
from voxgate.models.catalogue import WHISPER_CAPABILITIES
from voxgate.pipeline.session import Session

PCM = PcmDeclaration("s16le", RATE)


async def windows_of(reading: Reading) -> list[Window]:
    """Return the windows in which Whisper gets a reading."""
    decoded = await decode(reading.samples.tobytes(), name="numbers", pcm=PCM)
    model, detector = WHISPER_CAPABILITIES, SpeechDetector(SpeechRules())
    planner = WindowPlanner(model.window_s, model.long_pause_s, model.margin_s)
    regions = detector.feed(decoded.speech, decoded.levels_db)
    regions += detector.finish(len(decoded.pcm))
    return [*planner.feed(regions, len(decoded.pcm)), *planner.finish(len(decoded.pcm))]


def heard(text: str) -> list[int]:
    """Return the numbers of a text, in digits or in words."""
    normalize = EnglishTextNormalizer({})  # type: ignore[no-untyped-call]
    plain = normalize(re.sub(r"[-.,]", " , ", text))
    return [int(number) for number in re.findall(r"\d+", re.sub(r"\bone\b", "1", plain))]


@pytest.mark.parametrize(("voice", "longest_pause_s"), [("slt", 0.3), ("rms", 0.7), ("kal16", 0.3)])
async def test_no_window_ends_within_a_number(voice: str, longest_pause_s: float) -> None:
    reading = count(range(1, 71), voice, seed=1, longest_pause_s=longest_pause_s)
    windows = await windows_of(reading)
    borders = [border for window in windows for border in (window.start, window.end)]
    cut = [n.value for n in reading.numbers for b in borders if n.start < b < n.end]
    assert len(windows) > 1
    assert cut == []
    assert all(w.end - w.start > 27 * RATE for w in windows[:-1])
    assert all(after.start - before.end < RATE for before, after in pairwise(windows))


async def test_no_number_is_lost_or_doubled() -> None:
    """Whisper mishears a few of the numbers, but not because a window ends there."""
    reading = count(range(1, 101), "kal16", seed=1)
    async with Session() as session:
        transcript = await session.transcribe(
            reading.samples.tobytes(), model=str(whisper_folder()), name="numbers", pcm=PCM
        )
    numbers = heard(transcript.text)
    print(transcript.text)
    for window in await windows_of(reading):
        said = [n.value for n in reading.numbers if window.start <= n.start < window.end]
        for value in (said[0], said[-1]):
            assert numbers.count(value) == 1, value
    assert len(numbers) == pytest.approx(len(reading.numbers), abs=1)
    assert len(set(numbers) & set(reading.values)) >= 98
