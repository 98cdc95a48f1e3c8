"""A recording whose language changes: nothing is lost, and nothing is translated."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import jiwer
import numpy as np
import pytest

from tests.decoding import decode
from tests.sounds import RATE, Pcm
from tests.whisper.weights import whisper_folder
from voxgate.audio.pcm import PcmDeclaration
from voxgate.audio.vad import SpeechDetector, SpeechRules
from voxgate.pipeline.session import Session

if TYPE_CHECKING:
    from voxgate.transcript.values import Transcript

SPOKEN = {
    "es": "es_read_mls_13697.opus",
    "fr": "fr_spont_ejoanis_m4a.m4a",
    "it": "it_spont_antirez.opus",
}
LONGEST_S = 40
NEAR_S = 0.5  # of a word: the pause beside it


def words_of(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


async def transcribed(session: Session, sound: Pcm) -> Transcript:
    return await session.transcribe(
        sound.tobytes(),
        model=str(whisper_folder()),
        name="languages",
        pcm=PcmDeclaration("s16le", RATE),
    )


async def recordings() -> dict[str, Pcm]:
    """Return a recording in each language, at most `LONGEST_S` of it."""
    folder = Path(os.environ.get("VOXGATE_AUDIO", "")) / "languages"
    if not os.environ.get("VOXGATE_AUDIO") or not folder.is_dir():
        pytest.skip("VOXGATE_AUDIO names no folder of recordings")
    decoded = {language: await decode(folder / name) for language, name in SPOKEN.items()}
    return {language: each.pcm[: LONGEST_S * RATE] for language, each in decoded.items()}


async def test_three_languages_one_after_another() -> None:
    sounds = await recordings()
    whole = np.concatenate(list(sounds.values()))
    at = 0.0
    async with Session() as session:
        transcript = await transcribed(session, whole)
        for language, sound in sounds.items():
            alone = await transcribed(session, sound)
            end = at + len(sound) / RATE
            here = " ".join(word.text for word in transcript.words if at <= word.start < end)
            rate = jiwer.wer(words_of(alone.text), words_of(here))
            print(f"{language}: {rate:.2f} from what it says alone")
            assert alone.language == language
            assert rate < 0.5  # of a translation nearly every word differs
            at = end
    assert await covered(whole, transcript) >= 0.95


async def covered(sound: Pcm, transcript: Transcript) -> float:
    """Return the share of the detected speech that lies beside a word."""
    decoded = await decode(sound.tobytes(), name="whole", pcm=PcmDeclaration("s16le", RATE))
    detector = SpeechDetector(SpeechRules())
    regions = detector.feed(decoded.speech, decoded.levels_db) + detector.finish(len(sound))
    spoken, near = np.zeros(len(sound), bool), np.zeros(len(sound), bool)
    for region in regions:
        spoken[region.start : region.end] = True
    for word in transcript.words:
        near[max(0, round((word.start - NEAR_S) * RATE)) : round((word.end + NEAR_S) * RATE)] = True
    share = float((spoken & near).sum() / spoken.sum())
    print(f"{share:.3f} of {spoken.sum() / RATE:.0f} s covered")
    return share
