"""Whether a text is English, as a translation must be.

English is told by its script and by words that no other language uses as often. In the messages of
GNU programs in sixty languages, 95 % or more of all stretches of ten words have none of them; of 69
in spoken English each has one (docs/log.md). A language identifier tells shorter texts as well, and
costs a server 128 MB.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MIN_WORDS: Final = 10  # of a text in Latin script; a shorter one says too little
EXPECTED_EVERY: Final = 40  # words, at the most, from one of `ENGLISH` to the next

COMMON_EVERY: Final = 8  # words from one to the next: spoken English has one of three

_COMMON: Final = """\
the and that it you with this have not they from there what which would could she his your their
if when who can about out been then them how our like than its some him know it's i'm that's don't
because did does through where here now two three four five seven eight nine should these those
very much only after before other think going want being why yes well too right good people said
say thank please into all one really yeah something anything everything nothing little never
always again first old new night hundred there's you're can't didn't we're he's she's won't i'll
you'll while each every such between both around
"""
ENGLISH: Final = frozenset(_COMMON.split())
"""Common words of English, without those that another language has: a, her, in, is, of, to, was."""

_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def may_be_english(text: str) -> bool:
    """Return False for a text in another language, and True for one too short to tell."""
    letters = [character for character in text if character.isalpha()]
    if 2 * sum(map(_is_latin, letters)) < len(letters):
        return False
    words = _WORD.findall(text.replace("\u2019", "'").lower())
    known = sum(word in ENGLISH for word in words)
    return len(words) < MIN_WORDS or known * EXPECTED_EVERY > len(words)


def is_english(text: str) -> bool:
    """Return True for a text in which words of English are as common as in no other language."""
    words = _WORD.findall(text.replace("\u2019", "'").lower())
    known = sum(word in ENGLISH for word in words)
    return len(words) >= MIN_WORDS and known * COMMON_EVERY >= len(words)


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN")
