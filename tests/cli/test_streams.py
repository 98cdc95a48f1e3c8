"""Messages on a terminal: folded between words, what is to be typed in one piece."""

from __future__ import annotations

import pytest

from voxgate.cli.streams import folded

SENTENCE = (
    "voxgate: Systran/faster-whisper-base is used, the model that comes with Voxgate; -m names "
    "another, and `voxgate models pull mistralai/Voxtral-Mini-3B-2507` (9.4 GB) gets Voxtral."
)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 400])
def test_no_word_is_broken_and_no_command(width: int) -> None:
    lines = folded(SENTENCE, width).split("\n")
    assert " ".join(line.strip() for line in lines) == SENTENCE
    command = "`voxgate models pull mistralai/Voxtral-Mini-3B-2507`"
    assert any(command in line for line in lines)
    assert all(len(line) <= width or command in line for line in lines)
    assert all(line.startswith("  ") for line in lines[1:])


def test_a_word_that_is_longer_than_a_line_stays_whole() -> None:
    path = "/srv/" + "a" * 100
    assert path in folded(f"voxgate: There is no file at {path}.", 40)
