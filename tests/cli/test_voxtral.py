"""A trained checkpoint, through the command line.

It counts to eight in a window, and was trained on other takes of the same speakers: see its own
page, tests/data/voxtral-digits/README.md.
"""

import json
import random
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest

from tests.cli.command import CliRunner, write_wav
from tests.sounds import RATE, Pcm
from tests.spoken_digits import CHECKPOINT, FILES, Spoken, joined, matched, phrase, takes
from tests.transcript.formats.test_formats import parse_srt

SEED = 4
EXACT: dict[str, Any] = {"VOXGATE_PROFILE": "exact"}
"""Where times are looked at. What other profiles cost in words: tests/voxtral/test_accuracy.py."""


def corpus(seed: int) -> list[Spoken]:
    """300 recordings: half one digit, half two to eight; the same number of each speaker."""
    rng = random.Random(seed)
    speakers = list(takes().values())
    sizes = [1] * 150 + [2 + number % 7 for number in range(150)]
    return [phrase(rng, speakers[n % len(speakers)], size) for n, size in enumerate(sizes)]


@pytest.mark.parametrize("every", [4, pytest.param(2, marks=pytest.mark.long)])
def test_held_out_digits_and_strings_of_them(cli: CliRunner, every: int) -> None:
    spoken, out = corpus(SEED)[::every], cli.folder / "out"
    for number, each in enumerate(spoken):
        folder = cli.folder / f"in-{number // 75}"
        folder.mkdir(exist_ok=True)
        each.save(folder / f"{number:03d}.wav")
    for folder in cli.folder.glob("in-*"):
        done = cli.run("transcribe", folder, "-m", CHECKPOINT, "-o", out)
        assert done.returncode == 0, done.stderr
    heard = [(out / f"{number:03d}.txt").read_text() for number in range(len(spoken))]
    rate = jiwer.wer([each.text for each in spoken], [words(text) for text in heard])
    print(f"seed {SEED}: word error rate {rate:.4f}")
    assert rate <= 0.05


def test_three_minutes_with_pauses_and_the_time_of_every_word(cli: CliRunner) -> None:
    """Pairs of phrases 1 to 2 s apart lie in one window; a longer pause ends it."""
    rng = random.Random(SEED)
    speakers = list(takes().values())
    phrases, pauses = list[Spoken](), list[float]()
    while sum(len(each.samples) for each in phrases) / 8000 + sum(pauses) < 180:
        phrases.append(phrase(rng, speakers[len(phrases) // 2 % 5], rng.randint(1, 4)))
        pauses.append(rng.uniform(1, 2) if len(phrases) % 2 else rng.uniform(3.3, 5))
    spoken = joined(phrases, pauses)
    sound = spoken.save(cli.folder / "three-minutes.wav")
    done = cli.run("transcribe", sound, "-m", CHECKPOINT, "-f", "verbose_json", **EXACT)
    assert done.returncode == 0, done.stderr
    heard = json.loads(done.stdout)["words"]
    text = " ".join(word["word"] for word in heard)
    rate = jiwer.wer(spoken.text, text)
    print(f"seed {SEED}: {len(spoken.said)} words, word error rate {rate:.4f}")
    assert rate <= 0.06
    late = []
    for reference, hypothesis in matched(spoken.text, text):
        said, word = spoken.said[reference], heard[hypothesis]
        if word["start"] < said.start - 0.5 or word["end"] > said.end + 0.5:
            late.append((said, word))
    assert not late


def test_subtitles_read_as_well_as_those_of_a_model_with_times(cli: CliRunner) -> None:
    """Cues of two lines that stay for a second, one where somebody begins to speak, and no other.

    Which word begins a cue is a guess where a window has several regions: nine of ten are right.
    """
    rng = random.Random(SEED)
    speakers = list(takes().values())
    phrases = [phrase(rng, speakers[number % 5], rng.randint(2, 4)) for number in range(16)]
    pauses = [rng.uniform(1, 2) if number % 2 else rng.uniform(3.3, 5) for number in range(16)]
    spoken = joined(phrases, pauses)
    sound = spoken.save(cli.folder / "phrases.wav")
    out = cli.folder / "out"
    formats = ("-f", "srt", "-f", "verbose_json")
    done = cli.run("transcribe", sound, "-m", CHECKPOINT, *formats, "-o", out, **EXACT)
    assert done.returncode == 0, done.stderr
    cues = parse_srt((out / "phrases.srt").read_text("utf-8"))
    ends = [*(cue.start_ms for cue in cues[1:]), len(spoken.samples) / 8 + 1]
    for cue, end_ms in zip(cues, ends, strict=True):
        assert 999 <= cue.end_ms - cue.start_ms <= 7001
        assert cue.end_ms <= end_ms
        assert len(cue.lines) <= 2
        assert all(len(line) <= 42 for line in cue.lines)
    begins = [said.start * 1000 for said in spoken.said]
    firsts = list(accumulate((len(each.said) for each in phrases[:-1]), initial=0))
    for begin in (begins[first] for first in firsts):
        assert min(abs(cue.start_ms - begin) for cue in cues) < 500, begin
    assert all(min(abs(cue.start_ms - begin) for begin in begins) < 500 for cue in cues)
    texts = [" ".join(cue.lines).split() for cue in cues]
    text = " ".join(word for words in texts for word in words)
    assert jiwer.wer(spoken.text, text) <= 0.06
    said_at = {heard: begins[said] for said, heard in matched(spoken.text, text)}
    places = accumulate(map(len, texts[:-1]), initial=0)
    pairs = [(cue.start_ms, said_at.get(cli)) for cue, cli in zip(cues, places, strict=True)]
    late = [pair for pair in pairs if pair[1] is not None and abs(pair[0] - pair[1]) >= 500]
    print(f"seed {SEED}: {len(cues)} cues, {len(late)} with another word first")
    assert len(late) <= len(cues) / 10
    body = json.loads((out / "phrases.verbose.json").read_text("utf-8"))
    assert body["voxgate"] == {"checkpoint": CHECKPOINT.name, "profile": "exact"}
    assert {segment["time_source"] for segment in body["segments"]} == {"aligned"}


def silence() -> Pcm:
    return np.zeros(30 * RATE, np.int16)


def noise() -> Pcm:
    return (np.random.default_rng(SEED).standard_normal(30 * RATE) * 3000).astype(np.int16)


def chord() -> Pcm:
    time = np.arange(30 * RATE) / RATE
    tones = [220.0, 277.18, 329.63]  # A major, each with its overtones
    waves = [np.sin(2 * np.pi * k * f * time) / k for f in tones for k in range(1, 6)]
    return np.asarray(np.sum(waves, axis=0) * 4000).astype(np.int16)


@pytest.mark.parametrize("sound", [silence, noise, chord])
def test_sound_without_speech_gives_no_text(cli: CliRunner, sound: Callable[[], Pcm]) -> None:
    path = write_wav(cli.folder / "sound.wav", sound())
    done = cli.run("transcribe", path, "-m", CHECKPOINT)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda folder: (folder / "tekken.json").unlink(), "tekken.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "contains no Voxtral checkpoint"),
        (lambda folder: cut(folder / "model.safetensors"), "cut off or damaged"),
    ],
)
def test_a_broken_checkpoint_has_its_error(
    cli: CliRunner, spoken: Pcm, break_it: Callable[[Path], None], sentence: str
) -> None:
    folder = cli.folder / "broken"
    folder.mkdir()
    for file in FILES:
        (folder / file.name).write_bytes(file.read_bytes())
    break_it(folder)
    sound = write_wav(cli.folder / "sound.wav", spoken)
    done = cli.run("transcribe", sound, "-m", folder)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def cut(file: Path) -> None:
    """Leave the first half."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
