"""Texts that were not said: loops, words in noise, the caller's own words, and what marks them."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from tests.engine.material import noise, voice_note
from tests.spoken_digits import RATE as DIGITS_RATE
from tests.spoken_digits import read, silence, takes
from tests.whisper.hearing import done, recognised, segments, text
from voxgate.transcript.values import Options

RATE = 16_000
SEED = 13
PROMPT = "A talk of Voxgate, by Ada Lovelace. She explains the analytical engine."
FORMANTS_HZ = {"a": (700, 1220, 2600), "i": (300, 2300, 3000), "o": (400, 800, 2500)}


def vowel(name: str, pitch_hz: float, seconds: float = 30) -> bytes:
    """Return the vowel as PCM16: pulses of the glottis, each through the resonances of a mouth."""
    dice = np.random.default_rng(SEED)
    pulses = np.zeros(int(seconds * RATE))
    periods = RATE / pitch_hz * (1 + 0.01 * dice.standard_normal(int(seconds * pitch_hz)))
    at = np.cumsum(periods).astype(int)
    pulses[at[at < len(pulses)]] = 1
    time = np.arange(RATE // 10) / RATE
    sound = pulses
    for hertz in FORMANTS_HZ[name]:
        ringing = np.exp(-np.pi * 90 * time) * np.sin(2 * np.pi * hertz * time)
        sound = np.convolve(sound, ringing)[: len(pulses)]
    pcm16: bytes = (sound / np.abs(sound).max() * 12_000).astype("<i2").tobytes()
    return pcm16


@pytest.mark.parametrize(("name", "pitch_hz"), [("a", 120), ("i", 210), ("o", 90)])
def test_a_vowel_that_is_held_has_no_words_or_doubtful_ones(name: str, pitch_hz: float) -> None:
    print(f"seed {SEED}")
    (events,) = recognised(vowel(name, pitch_hz))
    assert all(segment.doubt for segment in segments(events)), text(events)
    assert len(text(events)) < 100


@pytest.mark.parametrize("seconds", [3, 10, 30])
@pytest.mark.parametrize(
    "options",
    [
        Options(prompt=PROMPT),
        Options(vocabulary=tuple(PROMPT.split())),
        Options(prompt=PROMPT, vocabulary=tuple(PROMPT.split())),
        Options(prompt=PROMPT, task="translate"),
    ],
    ids=["prompt", "vocabulary", "both", "translate"],
)
def test_what_the_caller_expects_is_not_heard_in_noise(seconds: float, options: Options) -> None:
    (events,) = recognised(noise(seconds), options=options)
    assert text(events) == ""


def test_what_the_caller_expects_is_heard_where_it_is_said() -> None:
    (plain,) = recognised(voice_note())
    (expected,) = recognised(voice_note(), options=Options(prompt=text(plain)))
    assert text(expected) == text(plain)


def test_a_prompt_does_not_leak_into_speech() -> None:
    (events,) = recognised(voice_note(), options=Options(prompt=PROMPT))
    assert not {"Voxgate", "Ada", "Lovelace", "analytical"} & set(text(events).split())
    assert "stopped outside the city" in text(events)


def test_an_unlikely_text_is_marked_and_kept() -> None:
    # At this temperature nearly every token is as likely as any other.
    (events,) = recognised(voice_note(), options=Options(temperature=2.0))
    assert {segment.doubt for segment in segments(events)} == {"is unlikely"}
    (notice,) = done(events).notices
    assert notice.code == "doubtful_text"
    assert "may not have been said: the text is unlikely" in notice.sentence
    assert "<|" not in text(events)  # no timestamps among the words


@pytest.mark.parametrize("times", [2, pytest.param(5, marks=pytest.mark.long)])
def test_a_text_that_repeats_itself_is_marked_and_kept(times: int) -> None:
    """Even where it was said: who checks it can hear that, and a loop reads the same."""
    speaker = next(iter(takes().values()))
    threes = [read(take) for take in speaker if take.name.startswith("3")]
    said = np.concatenate([np.concatenate([take, silence(0.1)]) for take in threes * 5])
    sound = soxr.resample(said.astype(np.float32), DIGITS_RATE, RATE)
    pcm16 = np.clip(sound, -32768, 32767).astype("<i2").tobytes()
    for _ in range(times):  # the attempts at high temperatures are samples
        (events,) = recognised(pcm16, options=Options(max_tokens=60))
        assert "three" in text(events).lower() or "3" in text(events)
        for segment in segments(events):
            assert segment.decoding
            repeats = segment.decoding.compression_ratio > 2.4
            assert segment.doubt == ("repeats itself" if repeats else None)
            codes = [notice.code for notice in done(events).notices]
            assert codes == (["doubtful_text"] if repeats else [])


def test_a_doubt_of_one_window_does_not_mark_another() -> None:
    doubtful, plain = recognised(
        voice_note(), voice_note(), options=[Options(temperature=2.0), Options()]
    )
    assert all(segment.doubt for segment in segments(doubtful))
    assert not any(segment.doubt for segment in segments(plain))
    assert done(plain).notices == ()
