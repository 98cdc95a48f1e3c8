from __future__ import annotations

import struct
from fractions import Fraction

import pytest

from tests.sounds import encode, sample
from voxgate.audio.decoder.wav import WavHeader


def test_an_ordinary_header_states_the_duration() -> None:
    header = WavHeader.parse(encode(sample(), "x.wav")[:4096])
    assert header is not None
    assert header.seconds == Fraction(len(sample()), 16_000)


@pytest.mark.parametrize("head", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"fLaC" * 10, bytes(100)])
def test_other_bytes_are_not_a_wav_header(head: bytes) -> None:
    assert WavHeader.parse(head) is None


def test_a_header_with_a_rate_of_zero_states_no_duration() -> None:
    data = bytearray(encode(sample(), "x.wav", "-bitexact")[:100])
    data[28:32] = struct.pack("<I", 0)
    assert WavHeader.parse(bytes(data)) is None
