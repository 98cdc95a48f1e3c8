"""A window whose text is in another language than the one that was asked for.

Models that are told a language may write English all the same, or ignore what they are told.
Decided here by values alone, and only where the text leaves no doubt.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from voxgate.pipeline.review import clock
from voxgate.transcript.english import is_english, may_be_english
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from voxgate.pipeline.review import Placed
    from voxgate.transcript.values import Options

MIN_LETTERS: Final = 20

SCRIPTS: Final = {
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk"), ("CYRILLIC",)),
    **dict.fromkeys(("ar", "fa"), ("ARABIC",)),
    "el": ("GREEK",),
    "he": ("HEBREW",),
    "hy": ("ARMENIAN",),
    "ja": ("CJK", "HIRAGANA", "KATAKANA"),
    "ka": ("GEORGIAN",),
    "ko": ("HANGUL",),
    "ta": ("TAMIL",),
    "th": ("THAI",),
    "zh": ("CJK",),
}
"""How the Unicode names of a language's letters begin, of languages that are written in one script
by nearly everybody. Hindi and Serbian are not."""


def is_in_another_language(placed: Placed, options: Options) -> bool:
    """Return whether a window's text is surely not in the language that the caller asked for."""
    text = " ".join(segment.text for segment in placed[1])
    wanted = "en" if options.task == "translate" else options.language
    if wanted is None or not text:
        return False
    if wanted == "en":
        return not may_be_english(text)
    return is_english(text) or not _may_be_written_as(wanted, text)


def marked_language(placed: Placed, language: str) -> Placed:
    """Return the window with a notice that its text is in another language."""
    recognised, segments = placed
    window = recognised.window
    sentence = (
        f"From {clock(window.start_s)} to {clock(window.end_s)} the text is not in '{language}', "
        f"which was asked for. Listen there, or ask without a language."
    )
    notices = (*recognised.notices, Notice("other_language", sentence))
    return replace(recognised, notices=notices), segments


def _may_be_written_as(language: str, text: str) -> bool:
    """Return False for a text whose letters are mostly of another script than the language's."""
    letters = [letter for letter in text if letter.isalpha()]
    scripts = SCRIPTS.get(language)
    if scripts is None or len(letters) < MIN_LETTERS:
        return True
    own = sum(unicodedata.name(letter, "").startswith(scripts) for letter in letters)
    return 2 * own >= len(letters)
