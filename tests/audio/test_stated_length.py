"""Hold the warning about a recording's length against what the file really contains."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.decoding import decode, decode_piped
from tests.sounds import RATE, SAMPLE, encode, ffmpeg, lag, sample
from voxgate.audio.decoder_process import PcmBlock
from voxgate.audio.source import Source
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from voxgate.audio.decoder_pool import DecoderPool
    from voxgate.audio.decoder_process import DecoderEvent

FILMS = {  # name: the arguments of picture and sound
    "x.mkv": ("-c:v", "mpeg4", "-c:a", "libopus"),
    "x.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"),
    "x.mp4": ("-c:v", "mpeg4", "-c:a", "aac", "-movflags", "+faststart"),
    "x.mov": ("-c:v", "mpeg4", "-c:a", "pcm_s16le", "-movflags", "+faststart"),
    "x.avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame"),
    "x.asf": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "x.flv": ("-c:v", "flv1", "-c:a", "aac", "-ar", "44100"),
    "x.ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
    "x.ts": ("-c:v", "mpeg2video", "-c:a", "aac"),
}
STATES_NOTHING = {"x.ts"}  # neither a length nor a size: no cut can be seen
LENGTH = len(sample()) / RATE


def film(name: str, picture_s: int, delay_s: float) -> bytes:
    """Return a film of a small picture, whose sound begins after a delay."""
    picture = f"testsrc=size=64x64:rate=5:duration={picture_s}"
    sound = ("-itsoffset", str(delay_s), "-i", str(SAMPLE))
    return ffmpeg(
        *("-f", "lavfi", "-i", picture, *sound, "-map", "0:v", "-map", "1:a", *FILMS[name], name)
    )


@pytest.mark.parametrize("name", FILMS)
async def test_a_film_is_whole_though_its_tracks_differ(name: str, decoders: DecoderPool) -> None:
    """The picture lasts longer or shorter than the sound, which begins with it or later."""
    for picture_s, delay_s in ((14, 0), (8, 3)):
        decoded = await decode(film(name, picture_s, delay_s), decoders)
        assert decoded.notices == ()
        if name != "x.avi":  # FFmpeg writes no delay there
            assert lag(decoded.pcm, sample()) == pytest.approx(delay_s, abs=0.1)


@pytest.mark.parametrize("name", FILMS)
async def test_a_film_that_is_cut_off(name: str, decoders: DecoderPool) -> None:
    data = film(name, 14, 0)
    decoded = await decode(data[: len(data) // 2], decoders)
    assert len(decoded.pcm) / RATE < LENGTH - 0.5
    assert "truncated_audio" in decoded.codes or name in STATES_NOTHING


async def test_a_matroska_of_another_program_without_the_tracks_own_length(
    decoders: DecoderPool,
) -> None:
    """The segment's length is the picture's; a live recording states no size."""
    data = film("x.mkv", 14, 0).replace(b"DURATION", b"SOMETHNG")
    assert (await decode(data, decoders)).notices == ()
    assert (await decode(data[: len(data) // 2], decoders)).codes == {"truncated_audio"}


@pytest.mark.parametrize("codec", ["libmp3lame", "adpcm_ms", "adpcm_ima_wav", "g722"])
async def test_a_compressed_wav_is_as_long_as_its_fact_chunk_states(
    codec: str, decoders: DecoderPool
) -> None:
    """The bytes per second of its header are a guess."""
    data = bytearray(encode(sample(), "x.wav", "-c:a", codec))
    assert (await decode(bytes(data), decoders)).notices == ()
    at = data.find(b"fmt ") + 16
    data[at : at + 4] = struct.pack("<I", 5 * struct.unpack_from("<I", data, at)[0])
    assert (await decode(bytes(data), decoders)).notices == ()
    assert (await decode(bytes(data[: len(data) // 2]), decoders)).codes >= {"truncated_audio"}


@pytest.mark.parametrize("name", ["x.w64", "rf64.wav", "x.caf", "x.aiff", "x.au", "x.mp3", "x.ogg"])
async def test_sound_that_is_cut_off(name: str, decoders: DecoderPool) -> None:
    data = encode(sample(), name, *(("-rf64", "always") if "rf64" in name else ()))
    assert (await decode(data, decoders)).notices == ()
    assert "truncated_audio" in (await decode(data[: len(data) // 2], decoders)).codes


# --- WAV -----------------------------------------------------------------------------------------


def wav(size: int, junk: int = 0) -> bytes:
    """Return a header that states `size` bytes of sound, after a chunk of `junk` bytes."""
    before = b"JUNK" + struct.pack("<I", junk) + bytes(junk) if junk else b""
    shape = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    riff = b"RIFF" + struct.pack("<I", size + 36 & 0xFFFFFFFF) + b"WAVE" + before
    return riff + b"fmt \x10\0\0\0" + shape + b"data" + struct.pack("<I", size & 0xFFFFFFFF)


@pytest.mark.parametrize("stated", [2 * len(sample()), (1 << 32) + 2 * len(sample())])
@pytest.mark.parametrize("junk", [0, 10_000])
async def test_digital_silence_behind_the_end_that_a_header_states(
    stated: int, junk: int, decoders: DecoderPool, tmp_path: Path
) -> None:
    path = tmp_path / "x.wav"
    with path.open("wb") as file:
        file.write(wav(stated, junk) + sample().tobytes())
        file.truncate(file.tell() + 20 * 2 * RATE)
    decoded = await decode(path, decoders)
    assert len(decoded.pcm) == len(sample()) + 20 * RATE
    assert np.array_equal(decoded.pcm[: len(sample())], sample())
    assert decoded.codes == {"header_lies"}


async def test_an_hour_of_silence_does_not_keep_the_reader_from_the_sound(
    decoders: DecoderPool, tmp_path: Path
) -> None:
    """FFmpeg took each eight zeros for a chunk, so that the decoder was ended before any sound."""
    path = tmp_path / "x.wav"
    with path.open("wb") as file:
        file.write(wav(2 * len(sample())) + sample().tobytes())
        file.truncate(file.tell() + 3600 * 2 * RATE)
    with Source.open(path, Settings()) as source:
        async with contextlib.aclosing(decoders.decode(source)) as events:
            blocks = [event async for event in _first_blocks(events, 2)]
    assert sample().tobytes().startswith(blocks[0].pcm16 + blocks[1].pcm16)


async def _first_blocks(events: AsyncIterator[DecoderEvent], count: int) -> AsyncIterator[PcmBlock]:
    async for event in events:
        if isinstance(event, PcmBlock):
            yield event
            count -= 1
            if not count:
                return


async def test_metadata_behind_the_sound_is_not_sound(decoders: DecoderPool) -> None:
    picture = b"id3 " + struct.pack("<I", 200_000) + np.random.default_rng(1).bytes(200_000)
    data = wav(2 * len(sample())) + sample().tobytes()
    for tail in (picture, b"LIST\x04\0\0\0INFO" + picture, picture[:150_000], bytes(3000)):
        decoded = await decode(data + tail, decoders)
        assert np.array_equal(decoded.pcm, sample())
        assert decoded.notices == ()


async def test_a_pipe_with_sound_behind_the_end_that_its_header_states(
    decoders: DecoderPool,
) -> None:
    """FFmpeg reads a pipe once, to the stated end: what follows is named."""
    data = wav(2 * RATE) + sample().tobytes()
    decoded = await decode_piped(data, decoders)
    assert [str(len(data) - 44 - 2 * RATE) in notice.sentence for notice in decoded.notices] == [
        True
    ]


@pytest.mark.parametrize("size", [float("inf"), float("nan"), -1.0])
async def test_a_size_that_is_no_number_of_bytes_costs_nothing(
    size: float, decoders: DecoderPool
) -> None:
    data = ffmpeg("-i", str(SAMPLE), "-c:a", "aac", "-ar", "44100", "x.flv")
    at = data.index(b"\0\x08filesize\0") + 11
    decoded = await decode(data[:at] + struct.pack(">d", size) + data[at + 8 :], decoders)
    assert len(decoded.pcm) / RATE == pytest.approx(LENGTH, abs=0.2)
