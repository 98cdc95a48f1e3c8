"""What is known of written text: where a line may break, where a sentence ends.

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
_NO_BREAK = frozenset("\u00a0\u2007\u202f")  # hold "20 %" and "Oui !" together

_SURROGATE = re.compile(r"[\ud800-\udfff]")

# Scripts that put no spaces between words: Thai and Lao, Burmese, Khmer, then the East Asian ones
# with their own and their fullwidth punctuation. Korean is not among them, it has spaces.
_SPACELESS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
    r"\u3001-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff9f"
    r"\U00020000-\U0003ffff]"
)

# Never at a line's start: marks, closing punctuation, modifiers (the Japanese long-vowel and
# repetition signs), and small kana. Never at its end: opening punctuation, the vowels of Thai and
# Lao that are written before their consonant, the stackers of Burmese and Khmer.
_NOT_FIRST = frozenset({"Mn", "Mc", "Me", "Pe", "Pf", "Po", "Lm", "Cf"})
_SMALL_KANA = frozenset(
    "\u3041\u3043\u3045\u3047\u3049\u3063\u3083\u3085\u3087\u308e"
    "\u30a1\u30a3\u30a5\u30a7\u30a9\u30c3\u30e3\u30e5\u30e7\u30ee"
)
_NOT_LAST = frozenset({"Ps", "Pi"})
_LEADING = frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4\u1039\u17d2")

_CLOSERS = r"[\"'\u2019\u201d\u00bb)\]\u300d\u300f\uff09]*$"
# . ? ! and the ellipsis; their ideographic, fullwidth and halfwidth forms; Arabic ?; danda
_SENTENCE_END = re.compile(r"[.?!\u2026\u3002\uff0e\uff1f\uff01\uff61\u061f\u0964]" + _CLOSERS)
_ABBREVIATION = re.compile(
    r"(?:^|\W)(?:[^\W\d_]|[DM]r|Mrs|Ms|Mme|Prof|Rev|Gen|Lt|Col|Sgt|St|vs|Nr|ca|bzw)\.$"
)
# , ; : and dashes; Arabic comma; ideographic and fullwidth comma, semicolon, colon
_CLAUSE_END = re.compile(r"[,;:\u2013\u2014\u060c\u3001\uff0c\uff1b\uff1a]" + _CLOSERS)


def one_line(text: str) -> str:
    """The text on one line: white space and control characters become single spaces.

    A no-break space that stands alone stays one.
    """
    return _GAP.sub(_narrowed, encodable(text)).strip()


def encodable(text: str) -> str:
    """The text with lone surrogates, which no encoding can write, replaced by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def units(text: str) -> list[str]:
    """The smallest parts that a line may be broken between: words, or characters without spaces."""
    return [unit for word in one_line(text).split(" ") if word for unit in _unspaced(word)]


def joined(words: Iterable[str]) -> str:
    """Words as a line of text: with single spaces, but none within a script that has none."""
    text = ""
    for word in words:
        text += f" {word}" if spaced(text, word) else word
    return text


def spaced(left: str, right: str) -> bool:
    """Whether a space belongs between two words of which only the letters are known."""
    return bool(left and right) and not (_SPACELESS.match(left[-1]) and _SPACELESS.match(right[0]))


def chunks(text: str, limit: int) -> list[str]:
    """A word in parts of at most `limit` characters, its marks kept on their letters."""
    parts = []
    while len(text) > limit:
        cut = limit
        while cut > 1 and category(text[cut]) in {"Mn", "Mc", "Me"}:
            cut -= 1
        cut = cut if cut > 1 else limit  # nothing but marks: any cut is as good
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text]


def ends_sentence(text: str, following: str) -> bool:
    """Whether a sentence ends after `text`, given what follows: "Dr." and "so... we" end none."""
    return _ends_sentence(text) and not following[:1].islower()


def ends_clause(text: str) -> bool:
    """Whether a comma, a colon, a dash or the like stands at the end of `text`."""
    return _CLAUSE_END.search(text) is not None or _ends_sentence(text)


def _ends_sentence(text: str) -> bool:
    return _SENTENCE_END.search(text) is not None and _ABBREVIATION.search(text) is None


def _narrowed(gap: re.Match[str]) -> str:
    return gap[0] if gap[0] in _NO_BREAK else " "


def _unspaced(word: str) -> list[str]:
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
    if category(left) in _NOT_LAST or left in _LEADING:
        return False
    return bool(_SPACELESS.match(left) or _SPACELESS.match(right))
