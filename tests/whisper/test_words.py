"""The times of words: strings of spoken digits, whose places are known."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.spoken_digits import phrase, takes
from tests.whisper.weights import whisper_folder
from voxgate.whisper.edges import SoundEdges
from voxgate.whisper.model import TokenAlignment, Whisper
from voxgate.whisper.words import timed_words

if TYPE_CHECKING:
    from tests.spoken_digits import Spoken

SEED = 13


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper.load(whisper_folder())


def pcm16(spoken: Spoken) -> bytes:
    return (np.clip(spoken.at_16_khz(), -1, 1) * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("strings", [2, pytest.param(5, marks=pytest.mark.long)])
def test_words_are_where_they_are_said(whisper: Whisper, strings: int) -> None:
    """So many strings of eight words by each of five speakers."""
    print(f"seed {SEED}")
    rng, tokenizer = random.Random(SEED), whisper.tokenizer("en")
    starts, ends = list[float](), list[float]()
    for speaker in takes().values():
        for _ in range(strings):
            spoken = phrase(rng, speaker, 8, (0.05, 0.5))
            sound = pcm16(spoken)
            seconds = len(sound) / 32_000
            tokens = tokenizer.encode(" " + ", ".join(said.word for said in spoken.said) + ".")
            encoded = whisper.encode([whisper.features(sound)])
            alignment = whisper.align(encoded, tokens, seconds, "en")
            words = [word for _, word in timed_words(tokenizer, tokens, alignment, sound)]
            times = [time for word in words for time in (word.start, word.end)]
            assert times == sorted(times)
            assert times[0] >= 0
            assert times[-1] <= seconds
            for word, said in zip(words, spoken.said, strict=True):
                starts.append(abs(word.start - said.start))
                ends.append(abs(word.end - said.end))
    for errors in (starts, ends):
        print(
            f"median {np.median(errors):.3f} s, 95th percentile {np.percentile(errors, 95):.3f} s"
        )
        assert np.median(errors) <= 0.08
        assert np.percentile(errors, 95) <= 0.25


def test_punctuation_belongs_to_a_word_and_has_no_time(whisper: Whisper) -> None:
    tokenizer = whisper.tokenizer("en")
    tokens = tokenizer.encode(' "Well," he said (twice): yes!')
    count = len(tokens)
    alignment = TokenAlignment(tuple(n / 10 for n in range(count + 1)), (0.5,) * count)
    words = timed_words(tokenizer, tokens, alignment, b"")
    assert "".join(text for text, _ in words) == ' "Well," he said (twice): yes!'
    assert [word.text for _, word in words] == ['"Well,"', "he", "said", "(twice):", "yes!"]


def test_a_language_without_spaces_is_divided_where_tokens_are(whisper: Whisper) -> None:
    tokenizer = whisper.tokenizer("zh")
    tokens = tokenizer.encode("你好,世界。")
    count = len(tokens)
    alignment = TokenAlignment(tuple(n / 10 for n in range(count + 1)), (0.5,) * count)
    words = timed_words(tokenizer, tokens, alignment, b"")
    assert [word.text for _, word in words] == ["你好,", "世界。"]


def tone(seconds: float, loudness: int = 8000) -> bytes:
    sound = np.sin(np.arange(int(16_000 * seconds)) * 0.2) * loudness
    return bytes(sound.astype("<i2").tobytes())


def test_a_pause_is_not_given_to_the_word_after_it() -> None:
    sound = tone(0.5) + bytes(32_000) + tone(0.5)
    (first, second) = SoundEdges(sound).fit([(0.0, 0.55), (0.55, 2.0)])
    assert first == pytest.approx((0.0, 0.5), abs=0.03)
    assert second == pytest.approx((1.5, 2.0), abs=0.03)


@pytest.mark.parametrize("sound", [b"", bytes(32_000), tone(1)])
def test_words_without_edges_keep_their_order(sound: bytes) -> None:
    spans = SoundEdges(sound).fit([(0.0, 0.2), (0.2, 0.2), (0.2, 1.0)])
    times = [time for span in spans for time in span]
    assert times == sorted(times)
