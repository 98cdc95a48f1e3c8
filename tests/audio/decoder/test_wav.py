from __future__ import annotations

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


@pytest.mark.parametrize(("at", "name"), [(24, "rate"), (32, "block align")])
def test_a_header_with_a_zero_states_no_duration(at: int, name: str) -> None:
    data = bytearray(encode(sample(), "x.wav", "-bitexact")[:100])
    data[at : at + 2] = bytes(2)
    header = WavHeader.parse(bytes(data))
    assert header is not None
    assert header.seconds is None, name


@pytest.mark.parametrize("name", ["x.w64", "x.wav"])
def test_sizes_of_64_bits_are_read(name: str) -> None:
    header = WavHeader.parse(encode(sample(), name, "-rf64", "always")[:4096])
    assert header is not None
    assert header.seconds == Fraction(len(sample()), 16_000)
