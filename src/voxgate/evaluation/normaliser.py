"""Texts as they are compared: Whisper's normalisers, and what is counted of them.

Two texts with the same words may differ in spelling. Whisper's normaliser for English, which the
Open ASR Leaderboard's began as, drops fillers and what is in brackets, writes numbers as digits,
expands contractions and has one spelling of British and American words. That for other languages
drops punctuation and capitals alone.
"""

# ruff: noqa: PLC0415 (the normalisers are an extra)
from __future__ import annotations

from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.transcript.text import is_spaceless

if TYPE_CHECKING:
    from collections.abc import Callable

Unit: TypeAlias = Literal["word", "character"]
"""What is counted of a text: its words, or the characters of a script without spaces."""

PACKAGE = "whisper-normalizer"
ENGLISH = "en"
WITHOUT_SPACES = {"zh", "yue", "ja", "th", "lo", "km", "my"}
"""Languages whose words no spaces divide: Chinese, Japanese, Thai, Lao, Khmer, Burmese."""


def unit_of(reference: str, language: str | None) -> Unit:
    """Return what is counted: characters where most letters are of a script without spaces.

    A reference without letters is counted as its language is.
    """
    letters = [character for character in reference if character.isalpha()]
    if not letters:
        return "character" if language in WITHOUT_SPACES else "word"
    spaceless = sum(map(is_spaceless, letters))
    return "character" if 2 * spaceless > len(letters) else "word"


class Normaliser:
    """Whisper's two normalisers."""

    @property
    def version(self) -> str:
        """The version of the package."""
        return version(PACKAGE)

    def units(self, text: str, language: str | None, unit: Unit) -> list[str]:
        """Return the words or characters of a text that are compared."""
        normalise = self._english if language == ENGLISH else self._basic
        words = normalise(text).split()
        return words if unit == "word" else list("".join(words))

    @cached_property
    def _english(self) -> Callable[[str], str]:
        from whisper_normalizer.english import EnglishTextNormalizer

        normaliser: Callable[[str], str] = EnglishTextNormalizer()
        return normaliser

    @cached_property
    def _basic(self) -> Callable[[str], str]:
        from whisper_normalizer.basic import BasicTextNormalizer

        # Whisper itself replaces marks by spaces, which breaks the words of Hindi and Thai apart.
        normaliser: Callable[[str], str] = BasicTextNormalizer(preserve_marks=True)
        return normaliser
