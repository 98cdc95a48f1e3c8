from __future__ import annotations

import struct
from fractions import Fraction

import pytest

from tests.sounds import encode, sample
from voxgate.audio.decoder.wav import WavHeader


def test_an_ordinary_header() -> None:
    header = WavHeader.read(encode(sample(), "x.wav")[:4096])
    assert header is not None
    assert header.seconds == Fraction(len(sample()), 16_000)


@pytest.mark.parametrize("head", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"fLaC" * 10, bytes(100)])
def test_what_is_none(head: bytes) -> None:
    assert WavHeader.read(head) is None


def test_a_rate_of_zero_announces_nothing() -> None:
    data = bytearray(encode(sample(), "x.wav", "-bitexact")[:100])
    data[28:32] = struct.pack("<I", 0)
    assert WavHeader.read(bytes(data)) is None
