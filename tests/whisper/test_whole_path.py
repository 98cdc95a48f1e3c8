"""Whisper through the whole path: words of real speech, and none where nobody speaks."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import jiwer
import numpy as np
import pytest

from tests.cli.command import isolated_cli
from tests.pipeline.test_formats import bare
from tests.sounds import SAMPLE, real_speech
from tests.whisper.weights import whisper_folder
from voxgate.audio.pcm import PcmDeclaration
from voxgate.errors import AudioError
from voxgate.models.store.packaged import WHISPER_BASE
from voxgate.pipeline.session import Session
from voxgate.transcript.formats import find_writer
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 16_000
SEED = 13


def test_the_command_line_installs_it_and_prints_sentences(tmp_path: Path) -> None:
    whisper_folder()  # skips without the packages
    with isolated_cli(tmp_path) as cli:
        done = cli.run("transcribe", SAMPLE, "-m", "openai/whisper-base", "-f", "json")
        assert done.returncode == 0, done.stderr
        assert "because the train stopped outside the city." in done.stdout
        assert WHISPER_BASE.name in done.stdout
        shown = cli.run("models", "show", "openai/whisper-base", "--verify")
        assert shown.returncode == 0, shown.stderr
        assert WHISPER_BASE.revision in shown.stdout
        listed = cli.run("models", "list")
        assert "99 languages" in listed.stdout


async def test_every_option_reaches_the_model() -> None:
    words = tuple(f"word{number}" for number in range(10_000))
    options = Options(task="translate", vocabulary=words, prompt="A note.", beam_size=2)
    async with Session() as session:
        transcript = await session.transcribe(SAMPLE, model=str(whisper_folder()), options=options)
    assert "train" in transcript.text
    assert (transcript.task, transcript.language) == ("translate", "en")
    assert transcript.language_probability is not None
    assert transcript.language_probability > 0.5
    assert [notice.code for notice in transcript.notices] == ["vocabulary_too_long"]
    assert "of 10000 vocabulary words were used" in transcript.notices[0].sentence
    written = json.loads(find_writer("verbose_json").write(transcript))
    assert (written["task"], written["source_language"]) == ("translate", "en")
    assert written["segments"][0]["avg_logprob"] < 0
    assert "words" not in written


async def test_words_of_real_recordings() -> None:
    said, heard = list[str](), list[str]()
    async with Session() as session:
        for words in sorted(real_speech().glob("*.txt")):
            (path,) = (p for p in words.parent.glob(f"{words.stem}.*") if p != words)
            transcript = await session.transcribe(path, model=str(whisper_folder()))
            said.append(bare(words.read_text(encoding="utf-8")))
            heard.append(bare(transcript.text))
            assert transcript.language == "en"
            assert all(0 <= w.start <= w.end <= transcript.duration for w in transcript.words)
            assert all(a.end <= b.start for a, b in pairwise(transcript.words))
    rate = jiwer.wer(said, heard)
    print(f"word error rate {rate:.3f}")
    assert rate < 0.2


async def test_recordings_without_speech_have_no_words() -> None:
    folder = Path(os.environ.get("VOXGATE_AUDIO", "")) / "nonspeech"
    if not os.environ.get("VOXGATE_AUDIO") or not folder.is_dir():
        pytest.skip("VOXGATE_AUDIO names no folder of recordings")
    silent = [words for words in sorted(folder.glob("*.txt")) if not words.read_text().strip()]
    assert silent
    texts = dict[str, str]()
    async with Session() as session:
        for words in silent:
            (path,) = (p for p in folder.glob(f"{words.stem}.*") if p.suffix in SOUNDS)
            try:
                transcript = await session.transcribe(path, model=str(whisper_folder()))
            except AudioError:
                continue  # broken files have tests of their own
            texts[path.name] = transcript.text
    assert not any(texts.values()), texts


SOUNDS = {".wav", ".flac", ".mp3", ".ogg", ".opus", ".mp4", ".m4a"}


def generated() -> dict[str, NDArray[np.float64]]:
    """Sounds of ten seconds in [-1, 1] in which nobody speaks."""
    rng = np.random.default_rng(SEED)
    time = np.arange(10 * RATE) / RATE
    white = rng.standard_normal(len(time)) / 4
    brown = np.cumsum(white)
    ring = np.sin(2 * np.pi * 440 * time) + np.sin(2 * np.pi * 480 * time)
    clicks = np.zeros(len(time))
    clicks[:: RATE // 2] = 1
    chord = sum(np.sin(2 * np.pi * f * time) for f in (261.6, 329.6, 392.0)) / 3
    return {
        "silence": np.zeros(len(time)),
        "white noise": white,
        "faint noise": white / 100,
        "brown noise": brown / np.abs(brown).max(),
        "pulsing noise": white * (np.sin(2 * np.pi * time) > 0),
        "noise that swells": white * time / 10,
        "100 Hz hum": 0.5 * np.sin(2 * np.pi * 100 * time),
        "50 Hz hum with harmonics": sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, 9))
        / 4,
        "300 Hz": 0.5 * np.sin(2 * np.pi * 300 * time),
        "1 kHz": 0.5 * np.sin(2 * np.pi * 1000 * time),
        "beeps": 0.5 * np.sin(2 * np.pi * 1000 * time) * (time % 1 < 0.2),
        "chord": 0.5 * chord,
        "chord that decays": 0.8 * chord * np.exp(-(time % 2) * 2),
        "sweep up": 0.5 * np.sin(2 * np.pi * (100 * time + 100 * time**2)),
        "sweep down": 0.5 * np.sin(2 * np.pi * (2100 * time - 100 * time**2)),
        "siren": 0.5 * np.sin(2 * np.pi * 700 * time + 100 * np.sin(2 * np.pi * 0.5 * time)),
        "clicks": clicks,
        "dense clicks": np.repeat(clicks[: len(time) // 10], 10),
        "ring tone": 0.3 * ring * (time % 6 < 2),
        "busy tone": 0.5 * np.sin(2 * np.pi * 425 * time) * (time % 1 < 0.5),
    }


@pytest.mark.parametrize("name", generated())
async def test_generated_sounds_have_no_words(name: str) -> None:
    print(f"seed {SEED}")
    pcm = (np.clip(generated()[name], -1, 1) * 32767).astype("<i2").tobytes()
    async with Session() as session:
        transcript = await session.transcribe(
            pcm, model=str(whisper_folder()), name=name, pcm=PcmDeclaration("s16le", RATE)
        )
    assert transcript.text == ""
