"""Every real file of the folders: sound without a false alarm, or one true sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.decoding import DecodedRecording, decode
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.errors import AudioError
from voxgate.settings import Settings

MEMORY_BYTES = 300 << 20  # a decoder that takes more is refused by the kernel: `decoder_died`
TRUE_SENTENCES = {"empty_audio", "not_audio", "no_sound_track", "truncated_audio"}
NOT_RECORDINGS = {".txt", ".keywords", ".md"}


def real_files(folder: str) -> list[Path]:
    """Return the recordings of a folder. Skip the test without one."""
    root = os.environ.get("VOXGATE_AUDIO", "")
    if not root or not Path(root, folder).is_dir():
        pytest.skip("VOXGATE_AUDIO names no folder of recordings")
    return sorted(p for p in Path(root, folder).iterdir() if p.suffix not in NOT_RECORDINGS)


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
