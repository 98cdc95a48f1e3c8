"""Each format is decoded by a complete FFmpeg, whose first sample must be the window's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.failures import raises
from tests.providers.upstream.asking import endpoint
from tests.sounds import RATE, ffmpeg, lag, sample
from voxgate.audio.spool import Audio
from voxgate.providers.upstream.encoding import SHORTEST_S, EncodedSound, encode

if TYPE_CHECKING:
    from tests.sounds import Pcm
    from voxgate.upstreams import SoundFormat, Upstream

ALL: tuple[SoundFormat, ...] = ("flac", "ogg", "mp3", "wav")


def upstream(*formats: SoundFormat, max_bytes: int = 25 * 2**20) -> Upstream:
    return replace(endpoint().upstream, formats=formats, max_bytes=max_bytes)


def encoded(samples: Pcm, upstream: Upstream) -> EncodedSound:
    window = Audio.from_pcm16(samples.astype("<i2").tobytes())
    try:
        return encode(window, upstream)
    finally:
        window.spool.close()


def decoded(data: bytes, name: str) -> Pcm:
    decoder = ("-i", "-", "-ar", str(RATE), "-ac", "1", "-f", "s16le", "out.raw")
    return np.frombuffer(ffmpeg(*decoder, data=data), np.int16)


@pytest.mark.parametrize("name", ["flac", "wav"])
def test_formats_without_loss_have_each_sample(name: SoundFormat) -> None:
    samples = sample()
    file = encoded(samples, upstream(name))
    assert file.format == name
    assert np.array_equal(decoded(file.data, name), samples)


@pytest.mark.parametrize("name", ["ogg", "mp3"])
@pytest.mark.parametrize("length", [RATE // 2, 3 * RATE + 7, 5 * RATE])
def test_formats_with_loss_keep_the_time(name: SoundFormat, length: int) -> None:
    samples = sample()[RATE : RATE + length]
    heard = decoded(encoded(samples, upstream(name)).data, name)
    assert abs(len(heard) - len(samples)) <= 1
    assert abs(lag(heard, samples)) <= 1 / RATE


def test_the_first_that_fits_is_sent() -> None:
    """Without loss where there is room, else the smallest."""
    sound = sample()
    sizes = {name: len(encoded(sound, upstream(name)).data) for name in ALL}
    assert sizes["ogg"] < sizes["mp3"] < sizes["flac"] < sizes["wav"]
    for given, limit, sent in [
        (ALL, sizes["wav"], "flac"),
        (ALL, sizes["flac"], "flac"),
        (ALL, sizes["flac"] - 1, "ogg"),
        (("wav", "mp3"), sizes["wav"], "mp3"),
        (("wav",), sizes["wav"], "wav"),
    ]:
        assert encoded(sound, upstream(*given, max_bytes=limit)).format == sent


def test_what_fits_in_no_format_is_an_error_that_names_the_sizes() -> None:
    with raises("upstream_failed", match=r"somewhere takes 1,000 bytes.*as flac and .* as wav"):
        encoded(sample(), upstream("wav", "flac", max_bytes=1000))


@pytest.mark.parametrize("length", [1, 100])
@pytest.mark.parametrize("name", ALL)
def test_a_very_short_window_has_silence_after_it(name: SoundFormat, length: int) -> None:
    samples = sample()[RATE : RATE + length]
    heard = decoded(encoded(samples, upstream(name)).data, name)
    assert len(heard) >= SHORTEST_S * RATE
    if name in {"flac", "wav"}:
        assert np.array_equal(heard[:length], samples)
        assert not heard[length:].any()
