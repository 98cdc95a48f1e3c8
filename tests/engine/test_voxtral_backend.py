"""Voxtral as an engine has it, with the checkpoint that hears digits."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.material import DEADLINE_S, Caller
from tests.failures import raises
from tests.spoken_digits import CHECKPOINT, FILES, Spoken, phrase, takes
from voxgate.engine.backend import Scheduler, load_model
from voxgate.engine.voxtral_backend import (
    LEAST_ANSWER_POSITIONS,
    affordable_positions,
    affordable_slots,
)
from voxgate.errors import UsageError
from voxgate.hardware.cores import usable_cores
from voxgate.models.catalogue import VOXTRAL_CAPABILITIES, find_model
from voxgate.transcript.values import Delta, Done, Event, Progress, Segment

SECOND = 32_000  # bytes


@pytest.fixture(scope="module")
def voxtral() -> Iterator[Scheduler]:
    scheduler = load_model(find_model(str(CHECKPOINT))).scheduler()
    yield scheduler
    scheduler.stop(DEADLINE_S)


@pytest.fixture(scope="module")
def spoken() -> Spoken:
    return phrase(random.Random(3), takes()["theo"], 5)


def pcm16(spoken: Spoken) -> bytes:
    return (spoken.at_16_khz() * 32768).clip(-32768, 32767).astype("<i2").tobytes()


def recognised(voxtral: Scheduler, sound: bytes, **options: Any) -> list[Event]:
    return Caller(voxtral, sound, **options).events()


def test_it_computes_with_as_many_threads_as_the_setting_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also with more than there are cores: then MKL alone would take fewer."""
    before, wanted = torch.get_num_threads(), usable_cores().cores + 1
    monkeypatch.setenv("VOXGATE_THREADS", str(wanted))
    try:
        load_model(find_model(str(CHECKPOINT)))
        assert torch.get_num_threads() == wanted
    finally:
        torch.set_num_threads(before)


def test_a_window_is_one_segment_with_a_confidence(voxtral: Scheduler, spoken: Spoken) -> None:
    *_, segment, done = recognised(voxtral, pcm16(spoken))
    assert isinstance(segment, Segment)
    assert segment.text == spoken.text
    assert (segment.start, segment.end) == (0.0, len(pcm16(spoken)) / SECOND)
    assert (segment.words, segment.time_source) == ((), "speech_region")
    assert segment.confidence is not None
    assert 0.5 < segment.confidence <= 1
    assert isinstance(done, Done)
    assert done.tokens >= len(spoken.said)
    assert not done.notices


def test_an_event_comes_for_every_half_layer_and_every_token(
    voxtral: Scheduler, spoken: Spoken
) -> None:
    events = recognised(voxtral, pcm16(spoken))
    (done,) = (event for event in events if isinstance(event, Done))
    halves = 2 * (3 + 4)  # layers of the encoder, and of the decoder for the prompt
    assert events[:halves] == [Progress(0.0)] * halves
    assert len(events) == halves + done.tokens + len(["segment", "done"])


def test_deltas_joined_are_the_segments_text(voxtral: Scheduler, spoken: Spoken) -> None:
    events = recognised(voxtral, pcm16(spoken))
    deltas = [event.text for event in events if isinstance(event, Delta)]
    assert len(deltas) >= len(spoken.said)
    assert "".join(deltas) == spoken.text


def test_deltas_take_nothing_back(voxtral: Scheduler, spoken: Spoken) -> None:
    """Neither the beginning of a stop that comes, nor one that does not."""
    third, fourth = (said.word for said in spoken.said[2:4])
    for stop in (f"{third} {fourth}", f"{third} x"):
        events = recognised(voxtral, pcm16(spoken), stop=(stop,))
        text = "".join(event.text for event in events if isinstance(event, Delta))
        (segment,) = (event for event in events if isinstance(event, Segment))
        assert text == segment.text == spoken.text.partition(stop)[0].strip()


def test_silence_is_an_empty_window(voxtral: Scheduler) -> None:
    events = recognised(voxtral, bytes(5 * SECOND))
    assert not [event for event in events if isinstance(event, Segment)]
    assert events[-1] == Done()


def test_options_reach_the_model(voxtral: Scheduler, spoken: Spoken) -> None:
    *_, done = recognised(voxtral, pcm16(spoken), max_tokens=1)
    assert isinstance(done, Done)
    assert done.tokens == 1
    stopped = recognised(voxtral, pcm16(spoken), stop=(spoken.said[2].word,))
    texts = [event.text for event in stopped if isinstance(event, Segment)]
    assert texts == [spoken.text.partition(spoken.said[2].word)[0].strip()]
    drawn = [recognised(voxtral, pcm16(spoken), temperature=2.0, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_text_that_runs_away_is_cut_and_marked(tmp_path: Path, spoken: Spoken) -> None:
    for file in FILES:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    weights["language_model.lm_head.weight"][[2, 11]] = 0.0  # it never wants to end
    save_file(weights, tmp_path / "model.safetensors")
    endless = load_model(find_model(str(tmp_path))).scheduler()
    *_, segment, done = recognised(endless, pcm16(spoken))
    endless.stop(DEADLINE_S)
    assert isinstance(segment, Segment)
    assert segment.text.startswith(spoken.text)
    assert isinstance(done, Done)
    assert [notice.code for notice in done.notices] == ["runaway_text"]
    assert done.tokens <= 14 * len(pcm16(spoken)) / SECOND + 33


def test_bad_input_is_a_sentence(voxtral: Scheduler) -> None:
    with pytest.raises(UsageError, match="no sample"):
        recognised(voxtral, b"")
    with pytest.raises(UsageError, match="16-bit"):
        recognised(voxtral, b"\0\0\0")
    with raises("unsupported_language", match="xx"):
        recognised(voxtral, bytes(SECOND), language="xx")


def test_noise_of_any_loudness_is_taken(voxtral: Scheduler) -> None:
    noise = np.random.default_rng(5).integers(-32768, 32767, 16_000).astype("<i2")
    assert isinstance(recognised(voxtral, noise.tobytes())[-1], Done)


@pytest.mark.parametrize(("budget", "slots"), [(10**12, 9), (450, 4), (400, 4), (99, 1), (-1, 1)])
def test_memory_decides_how_many_slots_there_are(budget: int, slots: int) -> None:
    assert affordable_slots(9, 100, budget) == slots


@pytest.mark.parametrize(
    ("budget", "positions"),
    [
        (10**9, 16_384),
        (5_000_000, 5000),
        (10, LEAST_ANSWER_POSITIONS),
        (-9, LEAST_ANSWER_POSITIONS),
    ],
)
def test_memory_decides_how_long_an_answer_may_be(budget: int, positions: int) -> None:
    assert affordable_positions(16_384, 1000.0, budget) == positions
    assert affordable_positions(1024, 1000.0, budget) == 1024


def test_a_slot_holds_the_longest_window_in_any_language(voxtral: Scheduler) -> None:
    dice = np.random.default_rng(5)
    loud = dice.integers(-32768, 32767, 30 * 16_000).astype("<i2").tobytes()
    for language in VOXTRAL_CAPABILITIES.languages:
        assert isinstance(recognised(voxtral, loud, language=language)[-1], Done)
