"""The known sentence, and how its words are compared without any library."""

from __future__ import annotations

import pytest

from voxgate.evaluation import known_sentence


@pytest.mark.parametrize(
    ("heard", "errors"),
    [
        ("Hi, it\N{RIGHT SINGLE QUOTATION MARK}s ME", 0),
        ("hi it's", 1),
        ("hi it's just me", 1),
        ("hi its me", 1),
        ("", 3),
        ("a b c d", 4),
        ("me hi it's", 2),
    ],
)
def test_errors_are_words_that_differ(heard: str, errors: int) -> None:
    reference = known_sentence.words("Hi, it's me.")
    assert known_sentence.word_errors(reference, known_sentence.words(heard)) == errors


def test_the_sentence_is_that_of_the_samples() -> None:
    assert len(known_sentence.words(known_sentence.text())) == 31
    assert known_sentence.sound().startswith(b"fLaC")


def test_it_is_a_recording_with_its_reference() -> None:
    found = known_sentence.recording()
    assert found.path.read_bytes() == known_sentence.sound()
    assert found.reference.text == found.reference.file.read_text("utf-8").strip()
