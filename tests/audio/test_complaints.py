"""What users of other speech-to-text programs complained of, in the decoder's part."""

from __future__ import annotations

import random
import re
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.decoding import decode, decode_piped
from tests.sounds import FFMPEG, RATE, SAMPLE, encode, ffmpeg, lag, sample
from voxgate.errors import AudioError

if TYPE_CHECKING:
    from voxgate.audio.decoder_pool import DecoderPool

LENGTH = len(sample()) / RATE


@pytest.mark.parametrize("name", ["x.mkv", "x.mka", "x.webm", "x.mp4", "x.mov", "x.ts", "x.flv"])
async def test_a_track_that_starts_late_has_late_times(name: str, decoders: DecoderPool) -> None:
    """The sound starts at 4.9 s of the container's clock; the subtitles must not start at 0."""
    codec = {"x.webm": "libopus", "x.mkv": "pcm_s16le", "x.mka": "flac"}.get(name, "aac")
    picture = ("-f", "lavfi", "-i", "color=size=32x32:rate=5:duration=16")
    data = ffmpeg(
        *picture, "-itsoffset", "4.9", "-i", str(SAMPLE), "-map", "0:v", "-map", "1:a",
        *("-c:v", "libvpx" if name == "x.webm" else "flv1" if name == "x.flv" else "mpeg4"),
        *("-c:a", codec, "-ar", "44100" if name == "x.flv" else "48000", name),
    )  # fmt: skip
    decoded = await decode(data, decoders)
    assert lag(decoded.pcm, sample()) == pytest.approx(4.9, abs=0.05)
    first = next(at for at, level in enumerate(decoded.levels_db) if level > -50)
    assert first * 512 / RATE >= 4.9
    assert decoded.notices == ()


async def test_a_track_that_starts_before_zero_is_not_shifted(decoders: DecoderPool) -> None:
    """An MP4's edit list leaves out the first 1.5 s: the times are those of the film."""
    data = ffmpeg(
        *("-f", "lavfi", "-i", "color=size=32x32:rate=5:duration=9", "-itsoffset", "-1.5"),
        *("-i", str(SAMPLE), "-map", "0:v", "-map", "1:a", "-c:v", "mpeg4", "-c:a", "aac"),
        *("-avoid_negative_ts", "disabled", "x.mp4"),
    )
    decoded = await decode(data, decoders)
    assert lag(decoded.pcm, sample()) == pytest.approx(-1.5, abs=0.1)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("x.m4a", "aac"), ("x.aac", "aac"), ("x.mp3", "libmp3lame"), ("x.mka", "libopus"),
     ("x.ogg", "libvorbis")],
)  # fmt: skip
async def test_flipped_bytes_stop_nothing_and_shift_nothing(
    name: str, codec: str, share: float, decoders: DecoderPool
) -> None:
    """The decoder goes on, the clock is kept, and one warning names the damage and its time."""
    data = bytearray(encode(np.tile(sample(), 3), name, "-c:a", codec, "-b:a", "64k"))
    seed = 7
    print(f"seed {seed}")
    end = data.find(b"moov") if name == "x.m4a" else len(data)  # what follows there is the index
    at = round(share * end)
    data[at : at + 1500] = random.Random(seed).randbytes(1500)
    decoded = await decode(bytes(data), decoders)
    assert len(decoded.pcm) / RATE == pytest.approx(3 * LENGTH, abs=0.3)
    third = 0 if share > 0.5 else 2 * len(sample())
    assert lag(decoded.pcm[third : third + len(sample())], sample()) == pytest.approx(0, abs=0.3)
    if name == "x.aac" and not decoded.notices:  # FFmpeg passed over one frame of the raw stream
        return
    (notice,) = decoded.notices
    assert notice.code == "damaged_audio"
    times = [float(time) for time in re.findall(r"([\d.]+) s\b", notice.sentence)]
    assert times
    assert abs(times[0] - share * 3 * LENGTH) < 2


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("container", "arguments"),
    [
        ("webm", ("-c:a", "libopus")),
        ("ogg", ("-c:a", "libopus")),
        ("mp4", ("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov+default_base_moof")),
    ],
)
async def test_a_browsers_recording_without_a_length_is_read(
    container: str, arguments: tuple[str, ...], channels: int, decoders: DecoderPool
) -> None:
    """MediaRecorder cannot go back to write a length into the header."""
    command = [FFMPEG, "-v", "error", "-i", str(SAMPLE), "-ac", str(channels), *arguments]
    written = subprocess.run([*command, "-f", container, "-"], capture_output=True, check=True)
    for decoded in (
        await decode(written.stdout, decoders),
        await decode_piped(written.stdout, decoders),
    ):
        assert lag(decoded.pcm, sample()) == pytest.approx(0, abs=0.1)
        assert len(decoded.pcm) / RATE == pytest.approx(LENGTH, abs=0.15)
        assert decoded.notices == ()


async def test_what_cannot_be_decoded_is_an_error_and_no_empty_text(decoders: DecoderPool) -> None:
    command = [FFMPEG, "-v", "error", "-i", str(SAMPLE), "-c:a", "libopus", "-f", "webm", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    with pytest.raises(AudioError):
        await decode(data[:300], decoders)
