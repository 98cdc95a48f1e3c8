"""Voxtral behind the `Recogniser` protocol, with the checkpoint that hears digits."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from tests.spoken_digits import CHECKPOINT, Spoken, phrase, takes
from voxgate.engine.catalogue import find, load
from voxgate.engine.recogniser import Recogniser
from voxgate.errors import UnsupportedLanguageError, UsageError
from voxgate.transcript.values import Done, Event, Options, Progress, Segment

SECOND = 32_000  # bytes


@pytest.fixture(scope="module")
def voxtral() -> Recogniser:
    return load(find(str(CHECKPOINT)))


@pytest.fixture(scope="module")
def spoken() -> Spoken:
    return phrase(random.Random(3), takes()["theo"], 5)


def pcm16(spoken: Spoken) -> bytes:
    return (spoken.at_16_khz() * 32768).clip(-32768, 32767).astype("<i2").tobytes()


def heard(voxtral: Recogniser, sound: bytes, **options: object) -> list[Event]:
    return list(voxtral.recognise(sound, replace(Options(), **options)))  # type: ignore[arg-type]


def test_a_window_is_one_segment_with_a_confidence(voxtral: Recogniser, spoken: Spoken) -> None:
    *_, segment, done = heard(voxtral, pcm16(spoken))
    assert isinstance(segment, Segment)
    assert segment.text == spoken.text
    assert (segment.start, segment.end) == (0.0, len(pcm16(spoken)) / SECOND)
    assert (segment.words, segment.time_source) == ((), "speech_region")
    assert segment.confidence is not None
    assert 0.5 < segment.confidence <= 1
    assert isinstance(done, Done)
    assert done.tokens >= len(spoken.said)
    assert not done.notices


def test_a_step_comes_for_every_layer_and_every_token(voxtral: Recogniser, spoken: Spoken) -> None:
    events = heard(voxtral, pcm16(spoken))
    steps = [event for event in events if isinstance(event, Progress)]
    (done,) = (event for event in events if isinstance(event, Done))
    layers = 3 + 4  # of the encoder, and of the decoder for the prompt
    assert len(steps) == layers + 4 * done.tokens


def test_work_that_is_broken_off_leaves_nothing_behind(voxtral: Recogniser, spoken: Spoken) -> None:
    whole = heard(voxtral, pcm16(spoken))
    for steps in (1, 5, 9):
        work = voxtral.recognise(pcm16(spoken), Options())
        for _ in range(steps):
            next(work)
        work.close()
        assert heard(voxtral, pcm16(spoken)) == whole


def test_silence_is_an_empty_window(voxtral: Recogniser) -> None:
    events = heard(voxtral, bytes(5 * SECOND))
    assert not [event for event in events if isinstance(event, Segment)]
    assert events[-1] == Done()


def test_options_reach_the_model(voxtral: Recogniser, spoken: Spoken) -> None:
    *_, done = heard(voxtral, pcm16(spoken), max_tokens=1)
    assert isinstance(done, Done)
    assert done.tokens == 1
    stopped = heard(voxtral, pcm16(spoken), stop=(spoken.said[2].word,))
    texts = [event.text for event in stopped if isinstance(event, Segment)]
    assert texts == [spoken.text.partition(spoken.said[2].word)[0].strip()]
    drawn = [heard(voxtral, pcm16(spoken), temperature=2.0, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_text_that_runs_away_is_cut_and_marked(tmp_path: Path, spoken: Spoken) -> None:
    for file in CHECKPOINT.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    weights["language_model.lm_head.weight"][[2, 11]] = 0.0  # it never wants to end
    save_file(weights, tmp_path / "model.safetensors")
    endless = load(find(str(tmp_path)))
    *_, segment, done = heard(endless, pcm16(spoken))
    assert isinstance(segment, Segment)
    assert segment.text.startswith(spoken.text)
    assert isinstance(done, Done)
    assert [notice.code for notice in done.notices] == ["runaway_text"]
    assert done.tokens <= 14 * len(pcm16(spoken)) / SECOND + 33


def test_bad_input_is_a_sentence(voxtral: Recogniser) -> None:
    with pytest.raises(UsageError, match="no sample"):
        heard(voxtral, b"")
    with pytest.raises(UsageError, match="16-bit"):
        heard(voxtral, b"\0\0\0")
    with pytest.raises(UnsupportedLanguageError, match="xx"):
        heard(voxtral, bytes(SECOND), language="xx")


def test_noise_of_any_loudness_is_taken(voxtral: Recogniser) -> None:
    noise = np.random.default_rng(5).integers(-32768, 32767, 16_000).astype("<i2")
    assert isinstance(heard(voxtral, noise.tobytes())[-1], Done)
