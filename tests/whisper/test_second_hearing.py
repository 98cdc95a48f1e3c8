"""A short window whose text is not sure is heard again with timestamps, and others are not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.engine.material import voice_note
from tests.whisper.weights import whisper_folder
from voxgate.whisper.attempt import Attempt, assess
from voxgate.whisper.decoding import (
    LEAST_KEPT,
    UNSURE_LOG_PROBABILITY,
    DecodedWindow,
    DecodingOptions,
    decode_windows,
)
from voxgate.whisper.model import Whisper

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 16_000
SEED = 20
PIECE_S = 4
OPTIONS = DecodingOptions(language="en", seconds=PIECE_S)


@cache
def model() -> Whisper:
    return Whisper.load(whisper_folder())


def pieces() -> Iterator[bytes]:
    """Yield pieces of speech, each in more noise than the one before."""
    dice = np.random.default_rng(SEED)
    speech = np.frombuffer(voice_note(), "<i2").astype(float)
    starts = range(0, len(speech) - PIECE_S * RATE + 1, PIECE_S * RATE // 2)
    for start, loudness in zip(starts, np.linspace(200, 3000, len(starts)), strict=True):
        piece = speech[start : start + PIECE_S * RATE]
        noisy = piece + dice.normal(0, loudness, len(piece))
        yield np.clip(noisy, -32768, 32767).astype("<i2").tobytes()


def decoded(encoded: Any, options: DecodingOptions) -> tuple[DecodedWindow, int]:
    """Return the text of one window, and how often the model was called for it."""
    decoding, calls = decode_windows(model(), encoded, [options]), 0
    while True:
        try:
            next(decoding)
        except StopIteration as end:
            return end.value[0], calls
        calls += 1


def attempt(encoded: Any, *, timestamps: bool) -> Attempt:
    prompt = model().prompt("en", timestamps=timestamps)
    (found,) = model().generate(encoded, [prompt], timestamps=timestamps)
    return assess(model(), found, 0.0)


def test_the_text_with_timestamps_is_taken_where_the_first_is_not_sure() -> None:
    print(f"seed {SEED}")
    sure = unsure = 0
    for piece in pieces():
        encoded = model().encode([model().features(piece)])
        first, again = (attempt(encoded, timestamps=each) for each in (False, True))
        if first.doubt or first.silent:
            continue  # samples at other temperatures come before
        window, calls = decoded(encoded, OPTIONS)
        if first.hypothesis.log_probability >= UNSURE_LOG_PROBABILITY:
            sure += 1
            assert (window.text, calls) == (first.text, 1)
            continue
        unsure += 1
        trusted = not again.doubt and len(again.text) >= LEAST_KEPT * len(first.text)
        assert (window.text, calls) == (again.text if trusted else first.text, 2)
        assert "<|" not in window.text
        assert decoded(encoded, replace(OPTIONS, seconds=29.0))[0].text == first.text
    assert sure
    assert unsure


@pytest.mark.parametrize(
    "options",
    [
        replace(OPTIONS, seconds=29.0),
        replace(OPTIONS, prompt="A talk."),
        replace(OPTIONS, max_tokens=50),
        replace(OPTIONS, task="translate"),
    ],
    ids=["long", "prompt", "limited", "translate"],
)
def test_where_timestamps_were_not_tried_a_text_is_heard_once(options: DecodingOptions) -> None:
    print(f"seed {SEED}")
    for piece in list(pieces())[:4]:
        window, calls = decoded(model().encode([model().features(piece)]), options)
        assert calls == 1 or window.doubt or window.no_speech_probability > 0.6
