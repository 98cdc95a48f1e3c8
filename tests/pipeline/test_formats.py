"""One sample through every container and codec: the words, not only the samples."""

from __future__ import annotations

import asyncio
import re

import jiwer
import pytest

import voxgate
from tests.audio.test_decoder_pool import LOSSLESS, LOSSY
from tests.sounds import WORDS, encode, sample

IDENTICAL = ["s24.wav", "f32.wav", "x.flac", "alac.m4a", "flac.mkv", "pcm.mov"]
"""Some of the lossless ones; that the others' samples are equal is tested beside the decoder."""

ALL_LOSSY = sorted(set(LOSSY) - {"nb.amr", "amr.3gp"})
"""AMR at 12 kb/s is of another class: its sound is that of an old telephone."""


def bare(text: str) -> str:
    return " ".join(re.findall(r"[a-z']+", text.lower()))


@pytest.fixture(scope="module")
def heard() -> dict[str, voxgate.Transcript]:
    """The sample as every format, transcribed by one engine."""
    files = {"x.wav": encode(sample(), "x.wav")}
    files |= {name: encode(sample(), name, *LOSSLESS[name]) for name in IDENTICAL}
    files |= {name: encode(sample(), name, *LOSSY[name][0]) for name in ALL_LOSSY}

    async def transcribe_all() -> dict[str, voxgate.Transcript]:
        async with voxgate.Session(voxgate.Settings()) as session:
            names = ["x.wav", *IDENTICAL]  # one by one: in a group of windows a time may differ
            alone = {name: await session.transcribe(files[name]) for name in names}
            together = [session.transcribe(files[name]) for name in ALL_LOSSY]
            return alone | dict(zip(ALL_LOSSY, await asyncio.gather(*together), strict=True))

    return asyncio.run(transcribe_all())


@pytest.mark.parametrize("name", IDENTICAL)
def test_lossless_formats_give_identical_words(
    heard: dict[str, voxgate.Transcript], name: str
) -> None:
    assert heard[name].words == heard["x.wav"].words
    assert heard[name].duration == heard["x.wav"].duration


@pytest.mark.parametrize("name", ALL_LOSSY)
def test_lossy_formats_cost_less_than_five_points(
    heard: dict[str, voxgate.Transcript], name: str
) -> None:
    assert abs(heard[name].duration - heard["x.wav"].duration) <= LOSSY[name][1]
    rate = jiwer.wer(bare(WORDS), bare(heard[name].text))
    print(f"word error rate {rate:.3f}")
    assert rate <= jiwer.wer(bare(WORDS), bare(heard["x.wav"].text)) + 0.05
