"""One sample through every container and codec: the words, not only the samples."""

from __future__ import annotations

import re

import jiwer
import pytest

import voxgate
from tests.audio.test_decode import LOSSLESS, LOSSY
from tests.sounds import WORDS, encode, sample

IDENTICAL = ["s24.wav", "f32.wav", "x.flac", "alac.m4a", "flac.mkv", "pcm.mov"]
"""Some of the lossless ones; that the others' samples are equal is tested beside the decoder."""

NEAR = sorted(set(LOSSY) - {"u8.wav", "nb.amr", "amr.3gp"})
"""The lossy ones at 64 kb/s or more. AMR at 12 kb/s and 8 bits are of another class."""


def bare(text: str) -> str:
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def error_rate(text: str) -> float:
    return jiwer.wer(bare(WORDS), bare(text))


@pytest.fixture(scope="module")
def plain() -> voxgate.Transcript:
    return voxgate.transcribe(encode(sample(), "x.wav"))


@pytest.mark.parametrize("name", IDENTICAL)
def test_lossless_formats_give_identical_words(name: str, plain: voxgate.Transcript) -> None:
    transcript = voxgate.transcribe(encode(sample(), name, *LOSSLESS[name]))
    assert transcript.words == plain.words
    assert transcript.duration == plain.duration


@pytest.mark.parametrize("name", NEAR)
def test_lossy_formats_cost_less_than_five_points(name: str, plain: voxgate.Transcript) -> None:
    arguments, length_s, _ = LOSSY[name]
    transcript = voxgate.transcribe(encode(sample(), name, *arguments))
    assert error_rate(transcript.text) <= error_rate(plain.text) + 0.05
    assert abs(transcript.duration - plain.duration) <= length_s
