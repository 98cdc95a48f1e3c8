"""Times for the words of a known text, in several languages, and for what was not said."""

from __future__ import annotations

import os
import random
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from faster_whisper import decode_audio

from tests.spoken_digits import WORDS, phrase, takes
from tests.whisper.weights import whisper_folder
from voxgate.whisper.aligner import MAX_TEXT_TOKENS, align_text
from voxgate.whisper.model import Whisper

if TYPE_CHECKING:
    from voxgate.transcript.values import Word

SEED = 13
SPEECH = "And so, my fellow Americans: ask not what your country can do for you,"
THAI = "มันเป็นเรื่องที่ดี ที่การเดินทางย้อนเวลาไม่ได้มีอยู่จริง"


@cache
def whisper() -> Whisper:
    return Whisper.load(whisper_folder())


@cache
def recording(name: str) -> bytes:
    """Return the PCM16 of a recording of VOXGATE_AUDIO; skips without the folder."""
    path = Path(os.environ.get("VOXGATE_AUDIO", "")) / name
    if not os.environ.get("VOXGATE_AUDIO") or not path.is_file():
        pytest.skip("VOXGATE_AUDIO names no folder of recordings")
    return bytes((decode_audio(str(path)) * 32767).astype("<i2").tobytes())


def words_of(name: str) -> str:
    recording(name)
    path = Path(os.environ["VOXGATE_AUDIO"]) / name
    return path.with_suffix(".txt").read_text("utf-8").strip()


def aligned(
    pcm16: bytes, text: str, language: str = "en", *, limit: int = MAX_TEXT_TOKENS
) -> list[Word]:
    """Return the words, after a check of what is true of every result."""
    model = whisper()
    encoded = model.encode([model.features(pcm16)])
    words = align_text(model, encoded, pcm16, text, language, limit=limit)
    assert "".join(written for written, _ in words) == (text if words else "")
    times = [time for _, word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(0 <= time <= len(pcm16) / 32_000 for time in times)
    for _, word in words:
        assert word.time_source in {"aligned", "interpolated"}
        assert (word.confidence is None) == (word.time_source == "interpolated")
    return [word for _, word in words]


def jfk() -> bytes:
    return recording("english/en_jfk.wav")


def test_words_of_a_text_are_where_they_are_said() -> None:
    words = aligned(jfk(), SPEECH)
    assert [word.text for word in words] == SPEECH.split()
    assert {word.time_source for word in words} == {"aligned"}
    by_ear = {"And": 0.33, "Americans:": 1.56, "ask": 3.28, "what": 5.4, "country": 5.76}
    for word in words:
        if word.text in by_ear:
            assert word.start == pytest.approx(by_ear[word.text], abs=0.15)


def test_digits_have_the_times_of_their_words() -> None:
    print(f"seed {SEED}")
    spoken = phrase(random.Random(SEED), takes()["theo"], 6, (0.2, 0.5))
    sound = (np.clip(spoken.at_16_khz(), -1, 1) * 32767).astype("<i2").tobytes()
    digits = [str(WORDS.index(said.word)) for said in spoken.said]
    words = aligned(sound, ", ".join(digits) + ".")
    assert {word.time_source for word in words} == {"aligned"}
    errors_s = [abs(word.start - said.start) for word, said in zip(words, spoken.said, strict=True)]
    assert sorted(errors_s)[len(errors_s) // 2] <= 0.08


def test_every_word_of_a_text_with_numbers_and_signs_has_a_time() -> None:
    text = (
        "Send $43,000. to 11 offices: EM3985771, info@voxgate.example 😀 https://voxgate.example/a"
    )
    words = aligned(jfk(), text)
    assert " ".join(word.text for word in words) == text
    assert all(word.end > word.start for word in words)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("languages/zh_read_aishell_W0121.flac", "zh"),
        ("languages/zh_read_funasr.flac", "zh"),
        ("languages/ja_read_leopard.flac", "ja"),
    ],
)
def test_a_script_without_spaces_is_timed_piece_by_piece(name: str, language: str) -> None:
    text = words_of(name)
    words = aligned(recording(name), text, language)
    assert len(words) > len(text) / 2
    assert sum(word.time_source == "aligned" for word in words) >= 0.9 * len(words)
    assert all(word.end - word.start < 1 for word in words)


def test_thai_marks_stay_with_their_letters() -> None:
    words = aligned(recording("languages/th_cv_25686161.opus"), THAI, "th")
    assert sum(word.time_source == "aligned" for word in words) >= 0.9 * len(words)
    assert all(word.text[0].isalnum() for word in words)


def test_a_text_that_was_not_said_is_interpolated() -> None:
    words = aligned(jfk(), "The quick brown fox drinks coffee in Paris every single morning.")
    assert {word.time_source for word in words} == {"interpolated"}
    assert all(a.end == b.start for a, b in pairwise(words))
    assert words[-1].end - words[0].start > 9


def test_a_word_that_was_not_said_lies_between_its_neighbours() -> None:
    words = aligned(jfk(), SPEECH.replace("country", "country 你好"))
    (odd,) = [word for word in words if word.text == "你好"]
    assert odd.time_source == "interpolated"
    assert sum(word.time_source == "aligned" for word in words) >= len(words) - 3


def test_a_text_is_aligned_piece_by_piece_where_it_is_too_long_for_the_decoder() -> None:
    whole, pieces = (aligned(jfk(), SPEECH, limit=limit) for limit in (MAX_TEXT_TOKENS, 8))
    for one, other in zip(whole, pieces, strict=True):
        assert one.start == pytest.approx(other.start, abs=0.25)
        assert other.time_source == "aligned"


@pytest.mark.parametrize("text", ["", " ", "...", " ¿?! ♪ —"])
def test_a_text_without_words_has_none(text: str) -> None:
    assert aligned(jfk(), text) == []


def test_far_more_words_than_the_sound_can_hold_are_spread_over_it() -> None:
    words = aligned(jfk()[: 3 * 32_000], "word " * 2000)
    assert len(words) == 2000
    assert {word.time_source for word in words} == {"interpolated"}


def test_a_text_longer_than_the_decoder_takes_is_no_error() -> None:
    words = aligned(jfk(), "word " * 700)
    assert len(words) == 700


def test_silence_spreads_the_words_over_the_window() -> None:
    words = aligned(bytes(3 * 32_000), "hello there")
    assert [(word.time_source, word.start, word.end) for word in words] == [
        ("interpolated", 0.0, 1.5),
        ("interpolated", 1.5, 3.0),
    ]


@pytest.mark.parametrize(
    "text",
    ["<|endoftext|> <|en|>", "a\u0300\u0301 \u200b b", "👩‍👩‍👧 hello", "\ufffd x", "%", "a" * 3000],
)
def test_any_text_is_aligned_without_an_error(text: str) -> None:
    aligned(jfk(), text)
