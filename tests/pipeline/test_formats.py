"""One sample through every container and codec: the words, not only the samples."""

from __future__ import annotations

import asyncio
import re
from functools import cache

import jiwer
import numpy as np
import pytest

import voxgate
from tests.audio.test_decoder_pool import LOSSLESS, LOSSY
from tests.sounds import RATE, WORDS, Pcm, encode, sample

IDENTICAL = ["s24.wav", "f32.wav", "x.flac", "alac.m4a", "flac.mkv", "pcm.mov"]
"""Some of the lossless ones; that the others' samples are equal is tested beside the decoder."""

NEAR = sorted(set(LOSSY) - {"u8.wav", "nb.amr", "amr.3gp", "alaw.wav", "wma.asf"})
"""The lossy ones at 64 kb/s or more. AMR at 12 kb/s and 8 bits are of another class.

A-law costs the embedded engine twelve points and WMA eight, more than the five that are allowed:
their noise is stronger. That A-law's is its own, and not the decoder's, is tested by its samples.
"""

STARTS_S = (0.0, 0.1, 0.2, 0.3)
"""Silence before the sample. Ten milliseconds more or less cost the embedded engine a word or two
of thirty: a rate is only told from noise over several readings."""


def bare(text: str) -> str:
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def begun_later(silence_s: float) -> Pcm:
    return np.concatenate([np.zeros(round(silence_s * RATE), np.int16), sample()])


@cache
def plain(silence_s: float) -> voxgate.Transcript:
    return voxgate.transcribe(encode(begun_later(silence_s), "x.wav"))


@pytest.mark.parametrize("name", IDENTICAL)
def test_lossless_formats_give_identical_words(name: str) -> None:
    transcript = voxgate.transcribe(encode(sample(), name, *LOSSLESS[name]))
    assert transcript.words == plain(0.0).words
    assert transcript.duration == plain(0.0).duration


@pytest.mark.parametrize("name", NEAR)
async def test_lossy_formats_cost_less_than_five_points(name: str) -> None:
    arguments, length_s, _ = LOSSY[name]
    wanted = [await asyncio.to_thread(plain, start) for start in STARTS_S]
    async with voxgate.Session(voxgate.Settings()) as session:
        heard = [
            await session.transcribe(encode(begun_later(start), name, *arguments))
            for start in STARTS_S
        ]
    for transcript, reference in zip(heard, wanted, strict=True):
        assert abs(transcript.duration - reference.duration) <= length_s
    said = [bare(WORDS)] * len(STARTS_S)
    rate = jiwer.wer(said, [bare(transcript.text) for transcript in heard])
    before = jiwer.wer(said, [bare(transcript.text) for transcript in wanted])
    print(f"word error rate {rate:.3f}, without loss {before:.3f}")
    assert rate <= before + 0.05
