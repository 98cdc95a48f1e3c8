"""Rules of written text: line breaks, sentence ends and spacing.

Lengths are counted in characters (Unicode code points), not in columns: a wide East Asian
character counts as one.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING
from unicodedata import category

if TYPE_CHECKING:
    from collections.abc import Iterable

_GAP = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")  # white space and control characters
_NO_BREAK = frozenset("\u00a0\u2007\u202f")  # they keep "20 %" and "Oui !" on one line

_SURROGATE = re.compile(r"[\ud800-\udfff]")

# Scripts without spaces between words: Thai and Lao, Burmese, Khmer, then the East Asian scripts
# with their own and the fullwidth punctuation. Korean is not included, because it uses spaces.
_SPACELESS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
    r"\u3001-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff9f"
    r"\U00020000-\U0003ffff]"
)

# A line never starts with a mark, closing punctuation, a modifier (the Japanese long-vowel and
# repetition signs) or small kana. It never ends with opening punctuation, a vowel of Thai or Lao
# that is written before its consonant, or a stacker of Burmese or Khmer.
_NOT_FIRST = frozenset({"Mn", "Mc", "Me", "Pe", "Pf", "Po", "Lm", "Cf"})
_SMALL_KANA = frozenset(
    "\u3041\u3043\u3045\u3047\u3049\u3063\u3083\u3085\u3087\u308e"
    "\u30a1\u30a3\u30a5\u30a7\u30a9\u30c3\u30e3\u30e5\u30e7\u30ee"
)
_NOT_LAST = frozenset({"Ps", "Pi"})
_LEADING_VOWELS = frozenset(
    "\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4\u1039\u17d2"
)

_CLOSERS = r"[\"'\u2019\u201d\u00bb)\]\u300d\u300f\uff09]*$"
# . ? ! and the ellipsis; their ideographic, fullwidth and halfwidth forms; Arabic ?; danda
_SENTENCE_END = re.compile(r"[.?!\u2026\u3002\uff0e\uff1f\uff01\uff61\u061f\u0964]" + _CLOSERS)
_ABBREVIATION = re.compile(
    r"(?:^|\W)(?:[^\W\d_]|[DM]r|Mrs|Ms|Mme|Prof|Rev|Gen|Lt|Col|Sgt|St|vs|Nr|ca|bzw)\.$"
)
# , ; : and dashes; Arabic comma; ideographic and fullwidth comma, semicolon, colon
_CLAUSE_END = re.compile(r"[,;:\u2013\u2014\u060c\u3001\uff0c\uff1b\uff1a]" + _CLOSERS)


def one_line(text: str) -> str:
    """Return the text on one line: white space and control characters become single spaces.

    A single no-break space is kept.
    """
    return _GAP.sub(_single_space, encodable(text)).strip()


def encodable(text: str) -> str:
    """Replace lone surrogates, which no encoding can write, by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def units(text: str) -> list[str]:
    """Split the text wherever a line may break: at spaces, and within scripts without spaces."""
    return [unit for word in one_line(text).split(" ") if word for unit in _split_unspaced(word)]


def joined(words: Iterable[str]) -> str:
    """Join words to one line, with single spaces except within a script without spaces."""
    text = ""
    for word in words:
        text += f" {word}" if spaced(text, word) else word
    return text


def spaced(left: str, right: str) -> bool:
    """Return whether a space belongs between two words when the text around them is unknown."""
    return bool(left and right) and not (_SPACELESS.match(left[-1]) and _SPACELESS.match(right[0]))


def chunks(text: str, limit: int) -> list[str]:
    """Split a word into parts of at most `limit` characters; marks stay with their letters."""
    parts = []
    while len(text) > limit:
        cut = limit
        while cut > 1 and category(text[cut]) in {"Mn", "Mc", "Me"}:
            cut -= 1
        cut = cut if cut > 1 else limit  # only marks: every cut is equally good
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text]


def is_spaceless(character: str) -> bool:
    """Return whether a character belongs to a script without spaces, or to its punctuation."""
    return _SPACELESS.match(character) is not None


def ends_sentence(text: str, following: str) -> bool:
    """Return whether a sentence ends between `text` and `following`.

    Neither "Dr." nor "so..." before "we" ends a sentence.
    """
    return _ends_sentence(text) and not following[:1].islower()


def ends_clause(text: str) -> bool:
    """Return whether `text` ends with a comma, colon, dash or similar mark, or a sentence's."""
    return _CLAUSE_END.search(text) is not None or _ends_sentence(text)


def _ends_sentence(text: str) -> bool:
    return _SENTENCE_END.search(text) is not None and _ABBREVIATION.search(text) is None


def _single_space(gap: re.Match[str]) -> str:
    return gap[0] if gap[0] in _NO_BREAK else " "


def _split_unspaced(word: str) -> list[str]:
    parts = [word[0]]
    for left, right in pairwise(word):
        if _breakable(left, right):
            parts.append(right)
        else:
            parts[-1] += right
    return parts


def _breakable(left: str, right: str) -> bool:
    if category(right) in _NOT_FIRST or right in _SMALL_KANA:
        return False
    if category(left) in _NOT_LAST or left in _LEADING_VOWELS:
        return False
    return bool(_SPACELESS.match(left) or _SPACELESS.match(right))
