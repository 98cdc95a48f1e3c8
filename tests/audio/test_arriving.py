"""Recordings that are decoded while they are still being written."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.decoding import decode
from tests.sounds import RATE, encode, lag, sample, with_picture
from voxgate.audio.decoder_process import PcmBlock
from voxgate.audio.source import Source
from voxgate.audio.spooled_file import SpooledFile
from voxgate.errors import AudioError, VoxgateError
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from voxgate.audio.decoder_pool import DecoderPool

PIECE_BYTES = 10_007
LIMIT_BYTES = 10_000_000
INDEX_FIRST = ["-movflags", "faststart"]
FRAGMENTED = ["-movflags", "empty_moov", "-frag_duration", "1000000"]


@pytest.fixture
def spooled(tmp_path: Path) -> Iterator[SpooledFile]:
    with closing(SpooledFile(tmp_path, LIMIT_BYTES, lambda _: VoxgateError("Too large."))) as file:
        yield file


async def write(file: SpooledFile, data: bytes) -> None:
    """Write all of it in pieces, each when the loop has gone round."""
    for start in range(0, len(data), PIECE_BYTES):
        file.write(data[start : start + PIECE_BYTES])
        await asyncio.sleep(0)
    file.end()


FILES = {
    **{name: encode(sample(), name) for name in ("x.flac", "x.mp3", "x.wav", "x.ogg", "x.mkv")},
    "index_last.m4a": encode(sample(), "x.m4a"),
    "index_first.m4a": encode(sample(), "x.m4a", *INDEX_FIRST),
    "fragmented.m4a": encode(sample(), "x.m4a", *FRAGMENTED),
    "film.mp4": with_picture(sample(), "x.mp4", 2.5, "-c:a", "aac", *INDEX_FIRST),
    "film.mov": with_picture(sample(), "x.mov", 2.5, "-c:a", "pcm_s16le", *INDEX_FIRST),
}


@pytest.mark.parametrize("name", FILES)
async def test_the_sound_is_that_of_the_whole_file(
    name: str, spooled: SpooledFile, decoders: DecoderPool
) -> None:
    data = FILES[name]
    with closing(spooled.arriving()) as arriving:
        decoding = asyncio.create_task(decode(arriving, decoders))
        await write(spooled, data)
        arrived = await decoding
    decoded = await decode(data, decoders)
    assert lag(arrived.pcm, decoded.pcm) == 0
    # The padding at the end of an MP3 is known only with the file's size.
    assert abs(len(arrived.pcm) - len(decoded.pcm)) / RATE < (0.05 if name == "x.mp3" else 1e-9)
    assert arrived.codes == decoded.codes


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *[(name, []) for name in ("x.flac", "x.mp3", "x.wav", "x.webm")],
        ("index_first.m4a", INDEX_FIRST),
        ("fragmented.m4a", FRAGMENTED),
    ],
)
async def test_sound_comes_before_the_last_byte(
    name: str, arguments: list[str], spooled: SpooledFile, decoders: DecoderPool
) -> None:
    """Of a minute, half is written, of which 20 s are decoded before anything else is."""
    data, received = encode(np.tile(sample(), 6), name, *arguments), 0
    with (
        closing(spooled.arriving()) as arriving,
        Source.open(arriving, Settings(), name=name) as source,
    ):
        spooled.write(data[: len(data) // 2])
        async with aclosing(decoders.decode(source)) as events:
            async for event in events:
                received += len(event.pcm16) // 2 if isinstance(event, PcmBlock) else 0
                if received >= 20 * RATE:
                    break
    assert received >= 20 * RATE


async def test_a_writer_who_ends_early_leaves_a_recording_that_is_cut_off(
    spooled: SpooledFile, decoders: DecoderPool
) -> None:
    data = encode(sample(), "x.wav")
    with closing(spooled.arriving()) as arriving:
        decoding = asyncio.create_task(decode(arriving, decoders))
        await write(spooled, data[: len(data) // 2])
        assert (await decoding).codes == {"truncated_audio"}


async def test_no_byte_and_too_many_are_errors(
    spooled: SpooledFile, decoders: DecoderPool, tmp_path: Path
) -> None:
    with closing(spooled.arriving()) as arriving:
        spooled.end()
        with pytest.raises(AudioError, match=r"^the recording is empty"):
            await decode(arriving, decoders)
    with closing(SpooledFile(tmp_path, LIMIT_BYTES, lambda _: VoxgateError("Large."))) as file:
        file.write(encode(sample(), "x.wav"))
        with closing(file.arriving()) as arriving:
            with pytest.raises(AudioError) as raised:
                await decode(arriving, settings=Settings(max_source_bytes=100_000))
            assert raised.value.code == "audio_too_large"
