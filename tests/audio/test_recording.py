from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING

import pytest

from voxgate.audio.spool import Audio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOUND = bytes(range(256)) * 250  # 2 s


@pytest.fixture
def audio(tmp_path: Path) -> Iterator[Audio]:
    audio = Audio.from_pcm16(SOUND, tmp_path)
    yield audio
    audio.spool.close()


def test_a_slice_of_a_slice_knows_its_place(audio: Audio) -> None:
    window = audio.slice(1_000, 20_000).slice(600, 16_600)
    assert window.start_s == 0.1
    assert window.duration_s == 1
    assert window.pcm16() == SOUND[3_200:35_200]


def test_equal_sound_has_an_equal_hash(audio: Audio) -> None:
    assert audio.slice(0, 128).sha256() == audio.slice(128, 256).sha256()
    assert audio.slice(0, 128).sha256() != audio.slice(1, 129).sha256()


def test_wav_can_be_read_back(audio: Audio) -> None:
    with wave.open(io.BytesIO(audio.wav())) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        assert file.readframes(32_000) == SOUND


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 4), (0, 32_001)])
def test_outside_is_outside(start: int, end: int, audio: Audio) -> None:
    with pytest.raises(ValueError, match="outside"):
        audio.slice(start, end)
