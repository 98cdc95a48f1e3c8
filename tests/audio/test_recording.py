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


def test_a_window_has_its_own_times_and_sound(audio: Audio) -> None:
    window = Audio(audio.spool, 1_600, 17_600)
    assert window.start_s == 0.1
    assert window.duration_s == 1
    assert window.pcm16() == SOUND[3_200:35_200]


def test_a_wav_file_can_be_read_back(audio: Audio) -> None:
    with wave.open(io.BytesIO(audio.wav())) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        assert file.readframes(32_000) == SOUND
