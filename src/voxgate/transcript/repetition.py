"""Whether a text goes round in a loop, as models write when they have lost the sound.

A loop that somebody reads is found by its repetition, one that changes a little each time by how
well it compresses: openai/whisper's measure and limit, for any model.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

MAX_COMPRESSION: Final = 2.4  # by zlib; ordinary text of half a minute has 1.0 to 2.0
PIECE_CHARACTERS: Final = 600  # half a minute of fast speech; a longer text compresses better
MIN_PIECE_CHARACTERS: Final = 150  # a shorter text says too little about its kind

MIN_TIMES: Final = 5
MIN_CHARACTERS: Final = 40
"""Of all repetitions together: nobody's "no, no, no, no, no" and "ha ha ha ha ha" is as long."""
MAX_UNIT_CHARACTERS: Final = 120  # of what is said again and again: a long sentence

_LOOP: Final = re.compile(rf"(?P<unit>.{{1,{MAX_UNIT_CHARACTERS}}}?)(?P=unit){{{MIN_TIMES - 1},}}")


def repeated(text: str) -> str | None:
    """Return what a text says again and again: the words, or "" if they change; None for no loop.

    Takes a millisecond or two for the text of half a minute.
    """
    words = _words(text)
    for found in _LOOP.finditer(f"{words} "):
        if _width(found.group()) >= MIN_CHARACTERS:
            return found["unit"].strip()
    # Digits are left out: somebody who counts repeats nothing, and compresses well.
    letters = _words("".join(" " if character.isdigit() else character for character in text))
    pieces = (letters[at : at + PIECE_CHARACTERS] for at in range(0, len(text), PIECE_CHARACTERS))
    return "" if any(_compresses(piece) for piece in pieces) else None


def _words(text: str) -> str:
    """Return the words alone, in lower case."""
    bare = (character if character.isalnum() else " " for character in text.casefold())
    return " ".join("".join(bare).split())


def _compresses(piece: str) -> bool:
    if len(piece) < MIN_PIECE_CHARACTERS:
        return False
    data = piece.encode()
    return len(data) > MAX_COMPRESSION * len(zlib.compress(data))


def _width(text: str) -> int:
    """Return the characters of a text; a Chinese or Japanese one, about a syllable, counts as two.

    The alphabets end before U+2E80.
    """
    return sum(2 if character >= "\u2e80" else 1 for character in text)
