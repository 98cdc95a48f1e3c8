"""Real recordings: the times of words, and how many are right."""

from __future__ import annotations

import itertools

import jiwer

import voxgate
from tests.pipeline.test_formats import bare
from tests.sounds import real_speech


async def test_real_recordings_are_transcribed() -> None:
    """The engine's error rate is known: half as much again would be a fault of the pipeline."""
    said, heard = list[str](), list[str]()
    async with voxgate.Session(voxgate.Settings()) as session:
        for words in sorted(real_speech().glob("*.txt")):
            (sound,) = (p for p in words.parent.glob(f"{words.stem}.*") if p != words)
            transcript = await session.transcribe(sound)
            said.append(bare(words.read_text(encoding="utf-8")))
            heard.append(bare(transcript.text))
            assert transcript.text
            assert all(0 <= w.start <= w.end <= transcript.duration for w in transcript.words)
            assert all(a.end <= b.start for a, b in itertools.pairwise(transcript.words))
    rate = jiwer.wer(said, heard)
    print(f"word error rate {rate:.3f}")
    assert rate < 0.2
