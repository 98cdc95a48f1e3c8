"""Every real file of the folders: sound without a false alarm, or one true sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.decoding import DecodedRecording, decode
from tests.real_files import MEMORY_BYTES, TRUE_SENTENCES, real_files
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.errors import AudioError
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


async def outcome(path: Path, decoders: DecoderPool) -> DecodedRecording | AudioError:
    """Decode a file, or return why it cannot be decoded."""
    try:
        return await decode(path, decoders)
    except AudioError as error:
        return error


@pytest.mark.parametrize("folder", ["devices", "short", "long", "broken"])
async def test_every_file_gives_sound_or_one_true_sentence(folder: str) -> None:
    async with DecoderPool(Settings(decoder_memory_bytes=MEMORY_BYTES)) as decoders:
        for path in real_files(folder):
            found = await outcome(path, decoders)
            if isinstance(found, AudioError):
                assert found.code in TRUE_SENTENCES, found.sentence
                assert str(path) in found.sentence
                assert "\n" not in found.sentence
                assert folder == "broken" or found.code == "no_sound_track", found.sentence
            else:
                assert len(found.pcm), path
                assert folder == "broken" or found.notices == (), found.notices
