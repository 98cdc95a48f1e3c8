"""`parse_language`: the one rule for the language that a caller names, wherever it is named.

Also its inverse for messages, and what a mistyped one may have meant.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

AUTO = "auto"
LONGEST = 40  # characters of a name: comparing longer texts takes time
NEAR = 0.7  # how like two names are, of 1: "germn" is like "german", not like "roman"

# Codes of which langcodes makes nothing else: they need no look-up, and engines get no others.
_CANONICAL = re.compile(r"(?!iw|in|ji|jw|mo|nb|sh)[a-z]{2}|haw|yue")

# What models call a language by another code than CLDR, which langcodes follows.
_MODEL_CODES = {"cmn": "zh", "fil": "tl", "nb": "no"}


def parse_language(text: str | None) -> str | None:
    """Return the code of a language: ISO 639-1, or ISO 639-3 where that has none.

    `text` is a code or a tag in any case (`en`, `eng`, `en-US`, `en_US`), or a name in English or
    in the language itself (`English`, `Deutsch`). None, an empty text and `auto` are None: the
    model detects the language. What names no language is returned in lower case, so that the
    model's own check refuses it and lists what it knows.
    """
    name = (text or "").strip()
    if name.lower() in {"", AUTO}:
        return None
    return name if _CANONICAL.fullmatch(name) else _look_up(name)


def language_name(code: str) -> str:
    """Return the English name of a language, in the small letters of openai/whisper."""
    import langcodes  # noqa: PLC0415 (as below)

    return langcodes.get(code).display_name("en").lower()


@lru_cache(maxsize=1000)
def _look_up(name: str) -> str:
    import langcodes  # noqa: PLC0415 (`import voxgate` and most calls do without)
    from langcodes.tag_parser import LanguageTagError  # noqa: PLC0415

    if not name.isprintable():
        return name.lower()
    try:
        found = langcodes.get(name)
    except LanguageTagError:
        found = None
    try:
        if found is None or not found.is_valid():
            found = langcodes.find(name)
    except LookupError:
        return name.lower()
    return _MODEL_CODES.get(found.language or "", found.language or name.lower())


def describe_language(code: str) -> str:
    """Return a code after the language's English name: `Klingon (tlh)`; any other text alone."""
    import langcodes  # noqa: PLC0415 (as above)

    if not code.isprintable() or not langcodes.tag_is_valid(code):
        return code
    return f"{langcodes.get(code).display_name()} ({code})"


def nearest_languages(text: str, codes: Iterable[str]) -> list[str]:
    """Return the languages, described, whose names are like a text that names none."""
    import langcodes  # noqa: PLC0415 (as above)

    names = {
        name.lower(): code
        for code in codes
        for name in (langcodes.get(code).display_name(), langcodes.get(code).autonym())
    }
    near = get_close_matches(text[:LONGEST].lower(), names, n=3, cutoff=NEAR)
    return list(dict.fromkeys(describe_language(names[name]) for name in near))
