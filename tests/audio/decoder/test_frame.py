"""Every number and order of channels passes through the confined decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.decoding import decode
from tests.sounds import RATE, encode, ffmpeg, sample

if TYPE_CHECKING:
    from voxgate.audio.decoder_pool import DecoderPool

NAMED = (
    *("2.1", "quad(side)", "5.0", "5.1(side)", "6.1(back)", "7.1", "7.1(wide)"),
    *("7.1.4", "hexadecagonal"),
)

CODECS = {  # name: (arguments, layouts)
    "x.m4a": (("-c:a", "aac"), (*NAMED[:7], "octagonal")),
    "x.mkv": (("-c:a", "libopus", "-mapping_family", "255", "-ar", "48000"), NAMED),
    "x.ogg": (("-c:a", "libvorbis", "-ar", "48000"), NAMED),
    "x.flac": ((), NAMED[:7]),
    "x.wav": ((), NAMED),
    "s64.wav": (("-c:a", "pcm_s64le"), ("7.1",)),
    "x.aiff": ((), ("5.1", "7.1", "7.1.4")),
    "x.caf": ((), ("5.1", "7.1", "7.1.4")),
    "x.wv": ((), ("7.1", "hexadecagonal")),
}
LOSSLESS = {"x.flac", "x.wav", "s64.wav", "x.aiff", "x.caf", "x.wv"}


@pytest.mark.parametrize("name", CODECS)
async def test_every_layout_is_decoded(name: str, decoders: DecoderPool) -> None:
    """All channels hold the same fifth of a second."""
    arguments, layouts = CODECS[name]
    sound = sample()[RATE : RATE * 6 // 5]
    wav = encode(sound, "x.wav")
    for layout in layouts:
        count = av.AudioLayout(layout).nb_channels
        pan = ("-af", f"pan={layout}|{'|'.join(f'c{at}=c0' for at in range(count))}")
        data = ffmpeg("-i", "-", *pan, *arguments, name, data=wav)
        decoded = await decode(data, decoders, name=f"{layout} in {name}")
        assert decoded.facts.channels == count
        assert decoded.notices == (), layout
        if name in LOSSLESS:
            assert len(decoded.pcm) == len(sound)
            assert np.abs(decoded.pcm.astype(int) - sound).max() <= 1, layout
        else:
            assert len(decoded.pcm) == pytest.approx(len(sound), abs=RATE // 8), layout
            assert np.abs(decoded.pcm.astype(int)).max() > np.abs(sound.astype(int)).max() / 3


async def test_every_number_of_channels_without_names(decoders: DecoderPool) -> None:
    sound = sample()[RATE : RATE * 6 // 5]
    for count in range(1, 17):
        decoded = await decode(encode(np.tile(sound, (count, 1)), "x.wv"), decoders)
        assert decoded.facts.channels == count
        assert np.abs(decoded.pcm.astype(int) - sound).max() <= 1, count


@pytest.mark.parametrize("count", [3, 6])
@pytest.mark.parametrize("name", ["x.tta", "x.au"])
async def test_without_a_stated_layout_no_channel_is_left_out(
    name: str, count: int, decoders: DecoderPool
) -> None:
    """FFmpeg takes three channels for 2.1, and six for 5.1: the microphone there would be lost."""
    sound = sample()[RATE : RATE * 2]
    for speaker in range(count):
        channels = np.zeros((count, len(sound)), np.int16)
        channels[speaker] = sound
        decoded = await decode(encode(channels, name), decoders)
        assert np.abs(decoded.pcm.astype(int) - sound).max() <= 1, speaker
