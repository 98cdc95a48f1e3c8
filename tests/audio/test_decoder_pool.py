"""Decode every kind of source and container: samples, duration, timeline, downmix, speech."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import os
import random
import subprocess
import tempfile
import threading
import wave
from typing import IO, TYPE_CHECKING, cast

import numpy as np
import pytest

from tests.decoding import decode
from tests.processes import until, working_decoders
from tests.sounds import FFMPEG, RATE, SAMPLE, encode, ffmpeg, lag, sample, with_picture
from voxgate.audio.decoder_process import PcmBlock, SpeechProbabilities
from voxgate.audio.pcm import PcmDeclaration
from voxgate.audio.source import Source
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.audio.decoder_pool import DecoderPool

LOSSLESS = {
    "s16.wav": ("-c:a", "pcm_s16le"),
    "s24.wav": ("-c:a", "pcm_s24le"),
    "s32.wav": ("-c:a", "pcm_s32le"),
    "f32.wav": ("-c:a", "pcm_f32le"),
    "f64.wav": ("-c:a", "pcm_f64le"),
    "rf64.wav": ("-rf64", "always"),
    "x.w64": (),
    "x.aiff": (),
    "x.au": (),
    "x.caf": (),
    "x.flac": (),
    "flac.ogg": ("-c:a", "flac"),
    "flac.mkv": ("-c:a", "flac"),
    "pcm.mkv": ("-c:a", "pcm_s16le"),
    "pcm.mov": ("-c:a", "pcm_s16le"),
    "pcm.avi": ("-c:a", "pcm_s16le"),
    "alac.m4a": ("-c:a", "alac"),
    "flac.mp4": ("-c:a", "flac", "-strict", "-2"),
    "x.wv": (),
    "x.tta": (),
}

LOSSY = {  # name: (arguments, tolerance of the duration in seconds, of the lag in seconds)
    "u8.wav": (("-c:a", "pcm_u8"), 0.0, 0.0),
    "alaw.wav": (("-c:a", "pcm_alaw"), 0.0, 0.0),
    "mulaw.wav": (("-c:a", "pcm_mulaw"), 0.0, 0.0),
    "lame.mp3": (("-c:a", "libmp3lame", "-b:a", "64k"), 0.05, 0.001),
    "lame44.mp3": (("-c:a", "libmp3lame", "-b:a", "128k", "-ar", "44100"), 0.05, 0.001),
    "no-xing.mp3": (("-c:a", "libmp3lame", "-b:a", "64k", "-write_xing", "0"), 0.15, 0.1),
    "aac.m4a": (("-c:a", "aac", "-b:a", "64k"), 0.05, 0.001),
    "aac44.mp4": (("-c:a", "aac", "-b:a", "128k", "-ar", "44100"), 0.05, 0.001),
    "fragmented.mp4": (
        ("-c:a", "aac", "-b:a", "64k", "-movflags", "frag_keyframe+empty_moov"), 0.15, 0.1,
    ),
    "adts.aac": (("-c:a", "aac", "-b:a", "64k"), 0.15, 0.1),
    "vorbis.ogg": (("-c:a", "libvorbis", "-b:a", "64k"), 0.05, 0.001),
    "opus.ogg": (("-c:a", "libopus", "-b:a", "64k"), 0.05, 0.01),
    "opus.webm": (("-c:a", "libopus", "-b:a", "64k"), 0.05, 0.01),
    "vorbis.webm": (("-c:a", "libvorbis", "-b:a", "64k"), 0.05, 0.01),
    "opus.mkv": (("-c:a", "libopus", "-b:a", "64k"), 0.05, 0.01),
    "aac.ts": (("-c:a", "aac", "-b:a", "64k"), 0.15, 0.1),
    "nb.amr": (("-c:a", "libopencore_amrnb", "-ar", "8000", "-b:a", "12.2k"), 0.05, 0.03),
    "amr.3gp": (("-c:a", "libopencore_amrnb", "-ar", "8000", "-b:a", "12.2k"), 0.05, 0.03),
    "wma.asf": (("-c:a", "wmav2", "-b:a", "64k"), 0.15, 0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSLESS)
async def test_lossless_sound_is_bit_exact(name: str, decoders: DecoderPool) -> None:
    decoded = await decode(encode(sample(), name, *LOSSLESS[name]), decoders)
    assert np.array_equal(decoded.pcm, sample())
    assert decoded.notices == ()


@pytest.mark.parametrize("name", LOSSY)
async def test_lossy_sound_keeps_its_length_and_position(name: str, decoders: DecoderPool) -> None:
    arguments, length_s, lag_s = LOSSY[name]
    decoded = await decode(encode(sample(), name, *arguments), decoders)
    assert abs(len(decoded.pcm) - len(sample())) / RATE <= length_s
    assert abs(lag(decoded.pcm, sample())) <= lag_s
    assert decoded.notices == ()


@pytest.mark.parametrize("name", ["alaw.wav", "mulaw.wav", "u8.wav", "adts.aac"])
async def test_lossy_sound_equals_ffmpegs_own_decoding(name: str, decoders: DecoderPool) -> None:
    """Nothing is lost in addition to what the codec loses."""
    data = encode(sample(), name, *LOSSY[name][0])
    decoded = await decode(data, decoders)
    expected = np.frombuffer(ffmpeg("-i", "-", "-f", "s16le", "out.raw", data=data), "<i2")
    assert len(decoded.pcm) == len(expected)
    # `to_pcm16` rounds down, FFmpeg to the nearest.
    assert np.abs(decoded.pcm.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
async def test_a_rate_changes_neither_length_nor_position(rate: int, decoders: DecoderPool) -> None:
    decoded = await decode(encode(sample(), "x.wav", "-ar", str(rate)), decoders)
    assert decoded.facts.rate == rate
    assert abs(len(decoded.pcm) - len(sample())) <= 2  # FFmpeg's own resampling rounds as well
    assert lag(decoded.pcm, sample()) == 0


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [("s16le", "pcm_s16le"), ("s16be", "pcm_s16be"), ("s24le", "pcm_s24le"), ("f32le", "pcm_f32le"),
     ("f64be", "pcm_f64be"), ("s32le", "pcm_s32le")],
)  # fmt: skip
async def test_declared_headerless_pcm(encoding: str, codec: str, decoders: DecoderPool) -> None:
    data = encode(sample(), "x.raw", "-f", encoding, "-c:a", codec)
    decoded = await decode(data, decoders, pcm=PcmDeclaration(encoding, RATE))
    assert np.array_equal(decoded.pcm, sample())


async def test_headerless_stereo_alaw(decoders: DecoderPool) -> None:
    stereo = np.stack([sample(), sample()])
    data = encode(stereo, "x.raw", "-f", "alaw")
    decoded = await decode(data, decoders, pcm=PcmDeclaration("alaw", RATE, 2))
    assert len(decoded.pcm) == len(sample())


@pytest.mark.parametrize(
    ("codec", "silence", "swapped"),
    [("dca", 0, False), ("dca", 0, True), ("dca", 40_000, False), ("dca", 40_000, True),
     ("ac3", 0, False)],
)  # fmt: skip
async def test_a_codec_that_a_wav_hides_in_its_samples_is_found(
    codec: str, silence: int, swapped: bool, decoders: DecoderPool
) -> None:
    """A DTS CD, whose frames begin some time after its silence, and AC-3 from the first sample."""
    stereo = np.stack([sample(), sample()])
    name = {"dca": "x.dts", "ac3": "x.ac3"}[codec]
    hidden = encode(stereo, name, "-ar", "48000", "-c:a", codec, "-strict", "-2", "-b:a", "448k")
    words = np.frombuffer(hidden[: len(hidden) // 2 * 2], "<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((2, 2, 48_000, 0, "NONE", ""))
        wav.writeframes(bytes(silence) + (words.byteswap() if swapped else words).tobytes())
    facts = (await decode(file.getvalue(), decoders)).facts
    assert (facts.container, facts.codec) == ("wav", codec)


async def test_every_kind_of_source_gives_the_same_samples(
    decoders: DecoderPool, tmp_path: Path
) -> None:
    path = tmp_path / "note.flac"
    path.write_bytes(SAMPLE.read_bytes())
    expected = sample()
    for recording in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        assert np.array_equal((await decode(recording, decoders)).pcm, expected)
    with path.open("rb") as file:
        assert np.array_equal((await decode(file, decoders)).pcm, expected)
        assert file.tell() == 0  # the position in the caller's file is unchanged


async def test_an_open_file_is_read_from_its_position(
    decoders: DecoderPool, tmp_path: Path
) -> None:
    path = tmp_path / "mail.bin"
    path.write_bytes(b"Content-Type: audio/flac\r\n\r\n" + SAMPLE.read_bytes())
    with path.open("rb") as file:
        file.readline()
        file.readline()
        assert np.array_equal((await decode(file, decoders)).pcm, sample())


@pytest.mark.parametrize("name", ["x.flac", "x.mp3", "x.wav", "x.ogg", "x.mkv", "end.m4a"])
async def test_a_pipe_is_read_in_every_container(name: str, decoders: DecoderPool) -> None:
    """An MP4 has its index at the end. The pipe cannot go back, but the decoder's copy can."""
    data = encode(sample(), name)
    read_fd, write_fd = os.pipe()
    writer = threading.Thread(target=_fill, args=(write_fd, data))
    writer.start()
    with os.fdopen(read_fd, "rb") as pipe:
        piped = await decode(pipe, decoders)
    writer.join()
    decoded = await decode(data, decoders)
    assert lag(piped.pcm, decoded.pcm) == 0
    # The padding at the end of an MP3 is known only with the file's size.
    assert abs(len(piped.pcm) - len(decoded.pcm)) / RATE < (0.05 if name == "x.mp3" else 1e-9)


async def test_a_non_blocking_pipe_is_waited_for(decoders: DecoderPool) -> None:
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    with os.fdopen(read_fd, "rb") as pipe:
        decoding = asyncio.create_task(decode(pipe, decoders))
        server = await decoders.warm()
        await until(lambda: bool(working_decoders(server)), "the decoder of the pipe")
        await asyncio.to_thread(_fill, write_fd, SAMPLE.read_bytes())
        assert np.array_equal((await decoding).pcm, sample())


async def test_a_wrapped_file_is_read_through_its_wrapper(decoders: DecoderPool) -> None:
    """A gzip file has a descriptor too, but of the compressed bytes."""
    packed = io.BytesIO(gzip.compress(SAMPLE.read_bytes()))
    with gzip.open(packed) as file:
        assert np.array_equal((await decode(cast("IO[bytes]", file), decoders)).pcm, sample())
    with tempfile.NamedTemporaryFile(suffix=".gz") as disk:
        disk.write(packed.getvalue())
        disk.flush()
        with gzip.open(disk.name) as file:
            assert np.array_equal((await decode(cast("IO[bytes]", file), decoders)).pcm, sample())


async def test_a_live_pipe_is_decoded_before_it_ends(decoders: DecoderPool) -> None:
    """The first blocks arrive while the pipe is still open."""
    data = encode(np.tile(sample(), 6), "x.wav")
    read_fd, write_fd = os.pipe()
    received = 0  # bytes
    with os.fdopen(write_fd, "wb") as pipe_end, os.fdopen(read_fd, "rb") as pipe:
        writer = threading.Thread(target=pipe_end.write, args=(data[: 31 * 2 * RATE],))
        writer.start()
        with Source.open(pipe, Settings()) as source:
            async with contextlib.aclosing(decoders.decode(source)) as events:
                async for event in events:
                    received += len(event.pcm16) if isinstance(event, PcmBlock) else 0
                    if received >= 29 * 2 * RATE:
                        break
        writer.join()
    assert received >= 29 * 2 * RATE


async def test_the_name_does_not_decide_the_format(decoders: DecoderPool) -> None:
    data = encode(sample(), "x.mp3")
    assert (await decode(data, decoders, name="lies.wav")).facts.container == "mp3"


# --- the timeline --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.mov"])
async def test_sound_that_starts_after_the_picture_keeps_its_times(
    name: str, decoders: DecoderPool
) -> None:
    codec = {"late.mp4": "aac"}.get(name, "pcm_s16le")
    decoded = await decode(with_picture(sample(), name, 2.5, "-c:a", codec), decoders)
    assert lag(decoded.pcm, sample()) == pytest.approx(2.5, abs=0.03)
    assert not decoded.pcm[: 2 * RATE].any()


async def test_a_clock_that_was_already_running_starts_at_zero(decoders: DecoderPool) -> None:
    data = encode(sample(), "x.ts", "-c:a", "aac", "-output_ts_offset", "5000")
    decoded = await decode(data, decoders)
    assert lag(decoded.pcm, sample()) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("name", ["gap.mkv", "gap.mp4", "gap.webm"])
async def test_a_gap_between_packets_becomes_silence(name: str, decoders: DecoderPool) -> None:
    """A recorder lost four seconds. The sound after the gap keeps its times."""
    codec = {"gap.mkv": "pcm_s16le", "gap.mp4": "aac", "gap.webm": "libopus"}[name]
    twice = np.concatenate([sample(), sample()])
    second = len(sample()) / RATE
    data = encode(
        twice, name, "-c:a", codec,
        "-bsf:a", f"setts=ts='if(gte(PTS*TB,{second}),PTS+4/TB,PTS)'",
    )  # fmt: skip
    decoded = await decode(data, decoders)
    after = decoded.pcm[round((second + 3) * RATE) :]
    assert len(decoded.pcm) / RATE == pytest.approx(2 * second + 4, abs=0.1)
    assert lag(after, sample()) == pytest.approx(1.0, abs=0.06)
    assert decoded.notices == ()  # a recorder may have paused: nothing in the file is damaged


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("x.mp3", ("-b:a", "64k")),
        ("no-xing.mp3", ("-b:a", "64k", "-write_xing", "0")),
        ("x.aac", ("-c:a", "aac", "-b:a", "64k")),
        ("x.m4a", ("-c:a", "aac", "-b:a", "64k")),
        ("x.ogg", ("-c:a", "libopus", "-b:a", "64k")),
        ("x.mkv", ("-c:a", "libopus", "-b:a", "64k")),
        ("x.ts", ("-c:a", "aac", "-b:a", "64k")),
        ("x.flac", ()),
    ],
)
async def test_damage_in_the_middle_does_not_shift_later_times(
    name: str, arguments: tuple[str, ...], decoders: DecoderPool
) -> None:
    """A tenth of the file is noise. The last third must keep its position."""
    data = bytearray(encode(np.tile(sample(), 3), name, *arguments))
    seed = 20
    print(f"seed {seed}")
    at, size = len(data) // 2, len(data) // 10
    if name == "x.m4a":
        at -= size  # the index is at the end
    data[at : at + size] = random.Random(seed).randbytes(size)
    decoded = await decode(bytes(data), decoders)
    third = 2 * len(sample())
    assert lag(decoded.pcm[third:], sample()) == pytest.approx(0, abs=0.15)
    assert len(decoded.pcm) / RATE == pytest.approx(3 * len(sample()) / RATE, abs=0.25)


async def test_joined_streams_whose_clocks_differ_follow_each_other(decoders: DecoderPool) -> None:
    early = encode(sample(), "x.ts", "-c:a", "aac")
    late = encode(sample(), "x.ts", "-c:a", "aac", "-output_ts_offset", "36000")
    for data in (early + late, late + early):
        decoded = await decode(data, decoders)
        assert len(decoded.pcm) / RATE == pytest.approx(2 * len(sample()) / RATE, abs=0.3)
        assert [n.sentence for n in decoded.notices if "jumps 1 time." in n.sentence]


async def test_chained_streams_of_different_rates_follow_each_other(decoders: DecoderPool) -> None:
    bare = ("-write_xing", "0", "-id3v2_version", "0")
    data = encode(sample(), "a.mp3", "-ar", "16000", "-b:a", "64k", *bare) + encode(
        sample(), "b.mp3", "-ar", "44100", "-b:a", "96k", *bare
    )
    decoded = await decode(data, decoders)
    assert len(decoded.pcm) / RATE == pytest.approx(2 * len(sample()) / RATE, abs=0.2)
    assert lag(decoded.pcm[len(sample()) :], sample()) == pytest.approx(0, abs=0.2)


# --- the downmix ---------------------------------------------------------------------------------


async def test_stereo_in_anti_phase_does_not_vanish(decoders: DecoderPool) -> None:
    data = encode(np.stack([sample(), -sample()]), "x.wav")
    decoded = await decode(data, decoders)
    assert np.corrcoef(decoded.pcm, sample())[0, 1] > 0.99
    assert np.abs(decoded.pcm.astype(int)).max() > 0.9 * np.abs(sample().astype(int)).max()


async def test_one_voice_among_six_channels_keeps_its_level(decoders: DecoderPool) -> None:
    six = np.zeros((6, len(sample())), np.int16)
    six[2] = sample()  # the centre
    decoded = await decode(encode(six, "x.wav"), decoders)
    assert np.corrcoef(decoded.pcm, sample())[0, 1] > 0.99
    assert np.abs(decoded.pcm.astype(int)).max() > 0.9 * np.abs(sample().astype(int)).max()


# --- speech --------------------------------------------------------------------------------------


async def test_speech_is_detected_at_its_position(decoders: DecoderPool) -> None:
    silence = np.zeros(3 * RATE, np.int16)
    decoded = await decode(encode(np.concatenate([silence, sample(), silence]), "x.wav"), decoders)
    assert len(decoded.speech) == -(-len(decoded.pcm) // 512)
    edge = 3 * RATE // 512
    assert max(decoded.speech[: edge - 2]) < 0.3
    assert max(decoded.speech[-edge + 10 :]) < 0.3
    assert np.mean(decoded.speech[edge : -edge + 1]) > 0.8


async def test_every_sample_of_ten_minutes_is_decoded(
    decoders: DecoderPool, tmp_path: Path
) -> None:
    """All of the decoder runs, with the speech detector. Ten hours: tests/pipeline/test_memory."""
    path, seconds = tmp_path / "long.flac", 600
    subprocess.run(
        [FFMPEG, "-v", "error", "-stream_loop", "-1", "-i", str(SAMPLE), "-t", str(seconds),
         "-c:a", "flac", str(path)],
        check=True,
    )  # fmt: skip
    samples = chunks = 0
    with Source.open(path, Settings()) as source:
        async for event in decoders.decode(source):
            samples += len(event.pcm16) // 2 if isinstance(event, PcmBlock) else 0
            chunks += len(event.probabilities) if isinstance(event, SpeechProbabilities) else 0
    assert samples == seconds * RATE
    assert chunks == -(-samples // 512)


def _fill(fd: int, data: bytes) -> None:
    with os.fdopen(fd, "wb") as pipe:
        pipe.write(data)


def test_the_encoder_of_the_tests_works() -> None:
    """It is a complete FFmpeg, separate from the product's decoder."""
    assert b"RIFF" in ffmpeg("-i", str(SAMPLE), "x.wav")[:4]
