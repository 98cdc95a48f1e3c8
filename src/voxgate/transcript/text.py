"""Rules of written text: widths, line breaks, sentence ends and spacing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import category, east_asian_width

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

# Hiragana and katakana: only Japanese has them, and ICU knows where its phrases end.
_KANA = re.compile(r"[\u3041-\u30ff\u31f0-\u31ff]")
_PHRASES, _ANY_LOCALE = "ja@lw=phrase", "und"

_NO_WIDTH = frozenset({"Mn", "Me", "Cf"})  # marks above and below letters, joiners and directions

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


def columns(text: str) -> int:
    """Return the width of a line: a wide East Asian character takes two columns, a mark none."""
    return sum(map(_columns, text))


def units(text: str) -> list[str]:
    """Split the text wherever a line may break.

    That is at spaces, and in scripts without spaces where ICU finds a word's end (Thai, Lao, Khmer,
    Burmese), a phrase's end (Japanese), or two characters that may stand on two lines (Chinese).
    """
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
    """Split a word into parts of at most `limit` columns, if possible where a line may break.

    Marks stay with their letters. `limit` is at least 2.
    """
    parts, rest = [""], text
    for unit in units(text):
        end = rest.index(unit) + len(unit)  # between two units may be a space
        longer, rest = parts[-1] + rest[:end], rest[end:]
        if columns(longer) <= limit:
            parts[-1] = longer
        else:
            parts += _letters(unit, limit)
    return [part for part in parts if part]


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
    if not _SPACELESS.search(word):
        return [word]
    parts = [""]
    for segment in _line_segments(word):
        if parts[-1] and not (_SPACELESS.match(parts[-1][-1]) or _SPACELESS.match(segment)):
            parts[-1] += segment  # ICU may break at a hyphen of Latin letters as well
        else:
            parts.append(segment)
    return parts[1:]


def _line_segments(text: str) -> Iterable[str]:
    """Return the parts between which ICU breaks lines (UAX #14, and dictionaries of words)."""
    from icu4py.breakers import LineBreaker  # noqa: PLC0415 (42 MB are mapped, for few scripts)

    return LineBreaker(text, _PHRASES if _KANA.search(text) else _ANY_LOCALE)


def _letters(text: str, limit: int) -> list[str]:
    """Split one unit into parts of at most `limit` columns; marks stay with their letters."""
    parts, width = [""], 0
    for letter in _with_marks(text, limit):
        if width + columns(letter) > limit:
            parts.append("")
            width = 0
        parts[-1] += letter
        width += columns(letter)
    return parts


def _with_marks(text: str, limit: int) -> list[str]:
    """Return the letters of a text, each with its marks, of which it has fewer than `limit`."""
    letters: list[str] = []
    for character in text:
        if letters and category(character).startswith("M") and len(letters[-1]) + 1 < limit:
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if category(character) in _NO_WIDTH:
        return 0
    return 2 if east_asian_width(character) in {"W", "F"} else 1
