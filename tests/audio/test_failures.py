"""Bad input: each failure has its code, and a sentence with the file and the next step."""

from __future__ import annotations

import io
import os
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.decoding import decode
from tests.failures import raises
from tests.sounds import RATE, SAMPLE, encode, ffmpeg, picture_only, sample
from voxgate import errors
from voxgate.audio.pcm import PcmDeclaration
from voxgate.audio.scratch_file import IN_MEMORY_BYTES
from voxgate.audio.source import Source
from voxgate.errors import AudioError, Code
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.audio.decoder_pool import DecoderPool


async def refusal(
    data: bytes,
    code: Code,
    decoders: DecoderPool,
    settings: Settings | None = None,
    **arguments: Any,
) -> str:
    """Decode bytes that must be refused with `code`, and return the error's sentence."""
    pool = None if settings else decoders  # a pool keeps its first settings
    with raises(code) as caught:
        await decode(data, pool, settings, **{"name": "bad.bin", **arguments})
    assert isinstance(caught.value, AudioError)
    assert "bad.bin" in caught.value.sentence
    assert 400 <= caught.value.status < 500
    return caught.value.sentence


async def test_text_is_not_audio(decoders: DecoderPool) -> None:
    assert "text" in await refusal(b"Dear all,\n\nthe minutes are ...\n", "not_audio", decoders)


async def test_random_bytes_are_not_audio(decoders: DecoderPool) -> None:
    data = np.random.default_rng(1).bytes(100_000)
    assert "no known container" in await refusal(data, "not_audio", decoders)


MXF = b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02"


@pytest.mark.parametrize(
    "data", [b"\0", b"\0" * 100_000, b"RIFF", b"ID3", b"\xff\xfb\x90\x00", MXF, MXF + b"\0\0"]
)
async def test_files_of_a_few_bytes_or_zeros_are_refused(
    data: bytes, decoders: DecoderPool
) -> None:
    with pytest.raises(errors.AudioError) as caught:
        await decode(data, decoders, name="bad.bin")
    assert "bad.bin" in caught.value.sentence


async def test_an_image_is_not_audio(decoders: DecoderPool) -> None:
    png = ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64:duration=1", "-frames:v", "1", "x.png")
    await refusal(png, "not_audio", decoders)


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "x.avi"])
async def test_a_film_without_a_sound_track(name: str, decoders: DecoderPool) -> None:
    assert "video" in await refusal(picture_only(name), "no_sound_track", decoders)


async def test_an_empty_file(decoders: DecoderPool) -> None:
    assert "0 bytes" in await refusal(b"", "empty_audio", decoders)


@pytest.mark.parametrize("name", ["x.wav", "x.flac", "x.aiff"])
async def test_a_valid_file_without_samples(name: str, decoders: DecoderPool) -> None:
    data = encode(np.zeros(0, np.int16), name)
    assert "no samples" in await refusal(data, "empty_audio", decoders)


async def test_a_wav_whose_header_states_more_than_the_file_contains(decoders: DecoderPool) -> None:
    data = bytearray(encode(sample(), "x.wav"))
    at = data.find(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 100 * 2 * RATE)
    decoded = await decode(bytes(data), decoders)
    assert np.array_equal(decoded.pcm, sample())
    assert decoded.codes == {"truncated_audio"}


async def test_a_wav_whose_header_states_less_than_the_file_contains(decoders: DecoderPool) -> None:
    data = bytearray(encode(sample(), "x.wav", "-bitexact"))
    at = data.find(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 2 * RATE)
    decoded = await decode(bytes(data), decoders)
    assert np.array_equal(decoded.pcm, sample())


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
async def test_a_wav_whose_size_was_never_filled_in(size: int, decoders: DecoderPool) -> None:
    """A recorder leaves such a file when it writes to a pipe or crashes."""
    data = bytearray(encode(sample(), "x.wav", "-bitexact"))
    at = data.find(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    decoded = await decode(bytes(data), decoders)
    assert np.array_equal(decoded.pcm, sample())
    assert decoded.notices == ()


async def test_an_impossible_duration_in_a_header_is_not_refused(
    decoders: DecoderPool,
) -> None:
    data = bytearray(encode(sample(), "x.wav", "-bitexact"))
    at = data.find(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 0x70000000)
    decoded = await decode(bytes(data), None, Settings(max_duration_s=60))
    assert np.array_equal(decoded.pcm, sample())
    assert decoded.codes == {"truncated_audio"}


async def test_half_an_mp3_after_a_cover_picture_is_reported(decoders: DecoderPool) -> None:
    data = encode(sample(), "x.mp3", "-id3v2_version", "0")
    size = 300_000  # of an ID3 tag, written as four bytes of seven bits each
    seven = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    tagged = b"ID3\x03\0\0" + seven + bytes(size) + data
    assert (await decode(tagged, decoders)).notices == ()
    assert "truncated_audio" in (await decode(tagged[: -len(data) // 2], decoders)).codes


async def test_a_tag_name_in_a_title_is_not_a_duration(decoders: DecoderPool) -> None:
    bare = ("-write_xing", "0", "-metadata", "title=Information about Xing")
    decoded = await decode(encode(sample(), "x.mp3", "-q:a", "9", *bare), decoders)
    assert decoded.facts.declared_s is None
    assert decoded.notices == ()


@pytest.mark.parametrize("name", ["x.mp3", "x.flac", "x.wav", "x.mkv"])
async def test_half_a_file_gives_half_the_sound_and_a_notice(
    name: str, decoders: DecoderPool
) -> None:
    data = encode(sample(), name)
    decoded = await decode(data[: len(data) // 2], decoders)
    assert "truncated_audio" in decoded.codes
    assert 0.35 < len(decoded.pcm) / len(sample()) < 0.65


async def test_half_an_ogg_gives_half_the_sound(decoders: DecoderPool) -> None:
    """An Ogg header states no duration, so there is nothing to compare with."""
    data = encode(sample(), "x.ogg", "-c:a", "libopus")
    decoded = await decode(data[: len(data) // 2], decoders)
    assert 0.35 < len(decoded.pcm) / len(sample()) < 0.65


async def test_half_an_mp4_has_no_index(decoders: DecoderPool) -> None:
    data = encode(sample(), "x.m4a")
    sentence = await refusal(data[: len(data) // 2], "truncated_audio", decoders)
    assert "cut off" in sentence


async def test_a_small_flac_of_long_silence_is_refused_by_its_header(decoders: DecoderPool) -> None:
    data = encode(np.zeros(100 * RATE, np.int16), "x.flac")
    settings = Settings(max_duration_s=60)
    assert len(data) < 100_000
    sentence = await refusal(data, "audio_too_long", decoders, settings)
    assert "VOXGATE_MAX_DURATION_S" in sentence


async def test_a_flac_without_a_duration_is_stopped_at_the_limit(decoders: DecoderPool) -> None:
    data = bytearray(encode(np.zeros(100 * RATE, np.int16), "x.flac"))
    data[21] &= 0xF0  # STREAMINFO: the number of samples, 36 bits; 0 means unknown
    data[22:26] = bytes(4)
    await refusal(bytes(data), "audio_too_long", decoders, Settings(max_duration_s=60))


async def test_a_gap_of_hours_is_stopped_at_the_limit(
    decoders: DecoderPool,
) -> None:
    data = encode(
        sample(), "x.mkv", "-c:a", "pcm_s16le",
        "-bsf:a", "setts=ts='if(gte(PTS*TB,5),PTS+100*3600/TB,PTS)'",
    )  # fmt: skip
    await refusal(data, "audio_too_long", decoders)


async def test_an_empty_pipe(decoders: DecoderPool) -> None:
    with raises("empty_audio", match="first byte"):
        await decode(os.devnull, decoders)


async def test_a_file_above_the_size_limit_is_refused(
    decoders: DecoderPool, tmp_path: Path
) -> None:
    settings = Settings(max_source_bytes=1000)
    assert "VOXGATE_MAX_SOURCE_BYTES" in await refusal(
        SAMPLE.read_bytes(), "audio_too_large", decoders, settings
    )
    with raises("audio_too_large"):
        await decode(SAMPLE, None, settings)


async def test_an_endless_pipe_is_stopped_at_the_size_limit() -> None:
    settings = Settings(max_source_bytes=10_000_000, max_duration_s=1e6)
    declared = PcmDeclaration("s16le", 16_000)
    with open("/dev/zero", "rb") as zeros, raises("audio_too_large"):  # noqa: PTH123
        await decode(zeros, None, settings, pcm=declared)


async def test_an_endless_device_is_stopped_at_the_duration_limit() -> None:
    settings = Settings(max_duration_s=100)
    with raises("audio_too_long"):
        await decode("/dev/zero", None, settings, pcm=PcmDeclaration("s16le", 16_000))


async def test_paths_that_cannot_be_opened(decoders: DecoderPool, tmp_path: Path) -> None:
    with raises("unreadable_audio", match="no file"):
        await decode(tmp_path / "nothing.wav", decoders)
    with raises("unreadable_audio", match="folder"):
        await decode(tmp_path, decoders)
    with raises("unreadable_audio"):
        await decode("nul\0byte.wav", decoders)


async def test_values_of_other_types_are_refused(decoders: DecoderPool, tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError):
        await decode(17, decoders)  # type: ignore[arg-type]
    text = tmp_path / "x.txt"
    text.write_text("words")
    with text.open() as file, pytest.raises(errors.UsageError, match="rb"):
        await decode(file, decoders)  # type: ignore[arg-type]


async def test_a_failing_source_is_not_reported_as_a_full_disk(decoders: DecoderPool) -> None:
    class Broken(io.RawIOBase):
        def read(self, _: int = -1) -> bytes:
            raise ConnectionResetError("the line is dead")

    closed = io.BytesIO(b"RIFF")
    closed.close()
    for file, reason in ((Broken(), "the line is dead"), (closed, "closed file")):
        with raises("unreadable_audio", match=reason):
            await decode(file, decoders)  # type: ignore[arg-type]


async def test_a_growing_file_is_read_to_its_first_size(
    decoders: DecoderPool, tmp_path: Path
) -> None:
    path = tmp_path / "live.wav"
    data = encode(sample(), "x.wav", "-bitexact")
    path.write_bytes(data)
    with Source.open(path, Settings()) as source:
        with path.open("ab") as file:
            file.write(data[-32_000:])
        sound = b""
        async for event in decoders.decode(source):
            sound += getattr(event, "pcm16", b"")
        assert source.grown()
    assert np.array_equal(np.frombuffer(sound, "<i2"), sample())


async def test_a_shrinking_file_ends_early(decoders: DecoderPool, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(encode(sample(), "x.wav", "-bitexact"))
    with Source.open(path, Settings()) as source:
        os.truncate(path, 100_000)
        sound = b""
        codes = set()
        async for event in decoders.decode(source):
            sound += getattr(event, "pcm16", b"")
            codes.add(getattr(event, "code", None))
    assert len(sound) < 100_000
    assert "truncated_audio" in codes


async def test_a_spool_folder_that_cannot_be_created(tmp_path: Path) -> None:
    settings = Settings(spool_dir=tmp_path / "file" / "folder")
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.SpoolFullError, match="VOXGATE_SPOOL_DIR"):
        await decode("/dev/zero", None, settings, pcm=PcmDeclaration("s16le", 16_000))
    with pytest.raises(errors.SpoolFullError, match="VOXGATE_SPOOL_DIR"):
        await decode(bytes(IN_MEMORY_BYTES + 1), None, settings)


async def test_an_index_that_needs_too_much_memory_is_refused() -> None:
    """The index of an MP4 states two thousand million packets of sound."""
    data = bytearray(encode(sample(), "x.m4a"))
    at = data.find(b"stsz")
    data[at + 12 : at + 16] = struct.pack(">I", 0x7FFFFFF0)
    settings = Settings(decoder_memory_bytes=200 << 20)
    with pytest.raises(errors.AudioError) as caught:
        await decode(bytes(data), None, settings, name="bad.bin")
    assert caught.value.status in {400, 422}


# --- what a sentence names -----------------------------------------------------------------------


async def test_encrypted_sound_is_said_to_be_encrypted(decoders: DecoderPool) -> None:
    key = "00112233445566778899aabbccddeeff"
    scheme = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key)
    data = encode(sample(), "x.mp4", "-c:a", "aac", *scheme)
    assert "is encrypted" in await refusal(data, "not_audio", decoders)


@pytest.mark.parametrize(
    ("name", "arguments", "beginning"),
    [
        ("x.webm", ("-c:a", "libopus", "-cluster_time_limit", "1000"), b"\x1f\x43\xb6\x75"),
        ("x.mp4", ("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"), b"moof"),
        ("x.ogg", ("-c:a", "libopus"), b"OggS"),
    ],
)
async def test_a_later_piece_of_a_browsers_recording(
    name: str, arguments: tuple[str, ...], beginning: bytes, decoders: DecoderPool
) -> None:
    data = encode(sample(), name, *arguments)
    at = data.find(beginning, 4000 if name != "x.mp4" else 0) - 4 * (name == "x.mp4")
    assert "beginning" in await refusal(data[at:], "truncated_audio", decoders)


@pytest.mark.parametrize("before", [b"", b"\x02"])
async def test_silk_is_named(before: bytes, decoders: DecoderPool) -> None:
    data = before + b"#!SILK_V3" + bytes(range(256)) * 4
    assert "Silk" in await refusal(data, "not_audio", decoders, name="bad.bin.amr")


async def test_an_mp4_with_a_damaged_index_is_not_said_to_lack_one(decoders: DecoderPool) -> None:
    data = bytearray(encode(sample(), "x.mp4", "-c:a", "aac"))
    at = data.find(b"stsd")
    data[at - 4 : at] = b"\0\0\0\x09"  # the size of a box: smaller than its content
    assert "index is damaged" in await refusal(bytes(data), "truncated_audio", decoders)


async def test_a_nist_sphere_file_is_read(decoders: DecoderPool) -> None:
    """The format of old speech corpora."""
    fields = (
        f"NIST_1A\n   1024\nchannel_count -i 1\nsample_rate -i {RATE}\nsample_n_bytes -i 2\n"
        f"sample_byte_format -s2 01\nsample_coding -s3 pcm\nsample_count -i {len(sample())}\n"
        "end_head\n"
    )
    decoded = await decode(fields.encode().ljust(1024) + sample().tobytes(), decoders)
    assert np.array_equal(decoded.pcm, sample())
