"""A file that holds several recordings, one after the other, is read to its last byte."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.decoding import decode, decode_piped
from tests.sounds import RATE, encode, lag, sample

if TYPE_CHECKING:
    from voxgate.audio.decoder_pool import DecoderPool

CONTAINERS = {  # name: arguments
    "x.wav": (),
    "rf64.wav": ("-rf64", "always"),
    "x.w64": (),
    "x.aiff": (),
    "x.au": (),
    "x.caf": (),
    "x.voc": (),
    "x.flac": (),
    "x.wv": (),
    "x.tta": (),
    "x.mp3": ("-b:a", "64k"),
    "x.aac": ("-c:a", "aac"),
    "x.ac3": (),
    "x.amr": ("-c:a", "libopencore_amrnb", "-ar", "8000", "-b:a", "12.2k"),
    "opus.ogg": ("-c:a", "libopus"),
    "vorbis.ogg": ("-c:a", "libvorbis"),
    "x.webm": ("-c:a", "libopus"),
    "x.mkv": ("-c:a", "pcm_s16le"),
    "x.mp4": ("-c:a", "aac"),
    "fragmented.mp4": ("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"),
    "x.mov": ("-c:a", "pcm_s16le"),
    "x.avi": ("-c:a", "pcm_s16le"),
    "x.asf": ("-c:a", "wmav2"),
    "x.ts": ("-c:a", "aac"),
}
HARMLESS = {"header_lies"}  # "it lasts 20 s, its header states 10 s, all was transcribed": true
LENGTH = len(sample()) / RATE


@pytest.mark.parametrize("name", CONTAINERS)
async def test_two_recordings_of_one_container(name: str, decoders: DecoderPool) -> None:
    data = encode(sample(), name, *CONTAINERS[name])
    decoded = await decode(data + data, decoders)
    assert len(decoded.pcm) / RATE == pytest.approx(2 * LENGTH, abs=0.25)
    assert lag(decoded.pcm[len(sample()) :], sample()) == pytest.approx(0, abs=0.2)
    assert decoded.codes <= HARMLESS


@pytest.mark.parametrize(
    ("names", "arguments"),
    [
        (("a.ogg", "b.ogg"), (("-c:a", "libvorbis"), ("-c:a", "libvorbis", "-ar", "44100"))),
        (("a.ogg", "b.ogg"), (("-c:a", "libvorbis"), ("-c:a", "libopus"))),
        (("a.flac", "b.flac"), ((), ("-ar", "44100", "-ac", "2"))),
        (("a.mp3", "b.mp3"), (("-b:a", "64k"), ("-b:a", "96k", "-ar", "44100"))),
        (("a.wav", "b.ogg"), ((), ())),
        (("a.mp4", "b.wav"), (("-c:a", "aac"), ())),
    ],
)
async def test_two_recordings_that_differ(
    names: tuple[str, str],
    arguments: tuple[tuple[str, ...], tuple[str, ...]],
    decoders: DecoderPool,
) -> None:
    """Another rate, another number of channels, another codec, another container."""
    first, second = (
        encode(sample(), name, *more) for name, more in zip(names, arguments, strict=True)
    )
    decoded = await decode(first + second, decoders)
    assert len(decoded.pcm) / RATE == pytest.approx(2 * LENGTH, abs=0.25)
    assert lag(decoded.pcm[len(sample()) :], sample()) == pytest.approx(0, abs=0.2)
    assert decoded.codes <= HARMLESS


async def test_a_header_that_is_repeated_within_a_recording_begins_no_other(
    decoders: DecoderPool,
) -> None:
    """A player writes the first header again where a stream goes on after a break."""
    flags = "frag_keyframe+empty_moov+default_base_moof"
    pieces = ("-movflags", flags, "-frag_duration", "2000000")
    data = encode(sample(), "x.mp4", "-c:a", "aac", *pieces)
    first, middle = data.find(b"moof") - 4, data.find(b"moof", len(data) // 2) - 4
    decoded = await decode(data[:middle] + data[:first] + data[middle:], decoders)
    assert len(decoded.pcm) / RATE == pytest.approx(LENGTH, abs=0.25)
    assert lag(decoded.pcm, sample()) == pytest.approx(0, abs=0.1)


async def test_two_recordings_in_a_pipe(decoders: DecoderPool) -> None:
    data = 2 * encode(sample(), "x.wav")
    decoded = await decode_piped(data, decoders)
    assert np.array_equal(decoded.pcm, np.tile(sample(), 2))
    assert decoded.notices == ()


async def test_what_only_looks_like_a_beginning_is_no_recording(decoders: DecoderPool) -> None:
    data = encode(sample(), "x.flac")
    fake = b"\0\0\0\x18xftypisom" + b"OggS\0\x02" + b"RIFF\x10\0\0\0WAVE"
    decoded = await decode(io.BytesIO(data + bytes(1000) + fake), decoders)
    assert np.array_equal(decoded.pcm, sample())
