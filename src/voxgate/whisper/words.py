"""The words of a text with their times: tokens joined into words, and words put into the sound."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING
from unicodedata import category

from voxgate.transcript.values import Word
from voxgate.whisper.edges import SoundEdges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faster_whisper.tokenizer import Tokenizer

    from voxgate.whisper.model import TokenAlignment

OPENING = {"Ps", "Pi"}  # of Unicode: belongs to the word after it
AMBIGUOUS = {"'", '"'}  # opens where a space precedes it


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word, or the punctuation between two, as the text has it with its space."""

    text: str
    first: int  # token
    end: int  # the token after its last

    @property
    def is_word(self) -> bool:
        return any(character.isalnum() for character in self.text)


def timed_words(
    tokenizer: Tokenizer, tokens: Sequence[int], alignment: TokenAlignment, pcm16: bytes
) -> list[tuple[str, Word]]:
    """Return each word of a text, as written with the space before it, and as a `Word`.

    Punctuation belongs to a word's text and has no time of its own. The texts joined give the text
    of the tokens. In languages without spaces a word is what a token has of them: one
    character or a few.
    """
    texts, words = list[str](), list[_Piece]()
    opening = ""
    for piece in _pieces(tokenizer, tokens):
        if piece.is_word:
            words.append(piece)
            texts.append(opening + piece.text)
            opening = ""
        elif texts and not opens(piece.text):
            texts[-1] += piece.text
        else:
            opening += piece.text
    if opening and texts:
        texts[-1] += opening
    starts, probabilities = alignment.starts, alignment.probabilities
    spans = SoundEdges(pcm16).fit([(starts[word.first], starts[word.end]) for word in words])
    return [
        (text, Word(text.strip(), start, end, fmean(probabilities[word.first : word.end])))
        for text, word, (start, end) in zip(texts, words, spans, strict=True)
    ]


def _pieces(tokenizer: Tokenizer, tokens: Sequence[int]) -> list[_Piece]:
    texts, parts = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    pieces, first = list[_Piece](), 0
    for text, part in zip(texts, parts, strict=True):
        end = min(first + len(part), len(tokens))  # without the end token
        if first < end:
            pieces.append(_Piece(text, first, end))
        first = end
    return pieces


def opens(text: str) -> bool:
    """Return whether punctuation belongs to what follows: `(`, `¿`, or a quote after a space."""
    mark = text.strip()[:1]
    quote = mark in AMBIGUOUS and text[:1].isspace()
    return bool(mark) and (mark in "¿¡" or quote or category(mark) in OPENING)
