"""A known sentence: real words in ten seconds of synthesised speech, to try a model with.

`sound.flac` and `words.txt` are links to the voice note in `samples/`, which says how it was made.
A wheel has the files themselves.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from voxgate.evaluation.pairs import ReferencedRecording
from voxgate.evaluation.references import Reference

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def sound() -> bytes:
    """Return the sound: FLAC, 16 kHz, mono, spoken English."""
    return files(__name__).joinpath("sound.flac").read_bytes()


def text() -> str:
    """Return what was spoken."""
    return files(__name__).joinpath("words.txt").read_text("utf-8").strip()


def recording() -> ReferencedRecording:
    """Return the sound with what was spoken, where recordings with references are wanted."""
    folder = Path(__file__).parent
    return ReferencedRecording(
        folder / "sound.flac", "the known sentence", Reference(text(), folder / "words.txt", "en")
    )


def words(written: str) -> list[str]:
    """Return the words of a text as they are compared: in small letters, without punctuation."""
    return _WORD.findall(written.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def word_errors(reference: list[str], heard: list[str]) -> int:
    """Return how many words must be replaced, left out or added to make one text of the other."""
    costs = list(range(len(heard) + 1))
    for row, spoken in enumerate(reference, 1):
        above, costs[0] = costs[0], row
        for column, word in enumerate(heard, 1):
            kept = above + (spoken != word)
            above = costs[column]
            costs[column] = min(kept, above + 1, costs[column - 1] + 1)
    return costs[-1]
