"""A text as words for the decoder: each as written, and the tokens of its spoken form."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING
from unicodedata import category

from voxgate.transcript.text import is_spaceless
from voxgate.whisper.spelling import SYMBOLS, spoken
from voxgate.whisper.words import opens

if TYPE_CHECKING:
    from faster_whisper.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class SpelledWord:
    """A word as written, with the space and punctuation around it, and the tokens of its sound."""

    text: str
    before: tuple[int, ...]  # of punctuation, which has no time
    tokens: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def all_tokens(self) -> tuple[int, ...]:
        """The tokens of the word with its punctuation."""
        return (*self.before, *self.tokens, *self.after)


def spelled_words(tokenizer: Tokenizer, text: str, language: str) -> list[SpelledWord]:
    """Return the words of a text; none for a text of punctuation alone.

    Words are between spaces. In a script without spaces they are what the tokens divide, one
    character or a few. The written words joined give the text.
    """
    words, opening = list[SpelledWord](), ""
    for chunk in re.findall(r"\s*\S+|\s+$", text):
        for part in _split_scripts(chunk):
            if any(map(str.isalnum, part)):
                words += _spelled(tokenizer, opening, part, language)
                opening = ""
            elif words and not opens(part):
                words[-1] = _with_punctuation(tokenizer, words[-1], part)
            else:
                opening += part
    if opening and words:
        words[-1] = replace(words[-1], text=words[-1].text + opening)
    return words


def _split_scripts(chunk: str) -> list[str]:
    """Divide at the borders between scripts with spaces and without; the space stays in front."""
    space, word = _split_space(chunk)
    runs = ["".join(run) for _, run in groupby(word, key=is_spaceless)]
    return [space + runs[0], *runs[1:]] if runs else [space]


def _spelled(tokenizer: Tokenizer, opening: str, part: str, language: str) -> list[SpelledWord]:
    """Return a word between spaces, or the words of a script without spaces."""
    space, word = _split_space(part)
    before, core, after = _peel(word)
    marks = (opening + before).strip()
    if is_spaceless(core[0]):
        texts, tokens = _pieces(tokenizer, core)
    else:
        form = spoken(core, language)
        texts, tokens = [core], [tokenizer.encode(form if marks else f" {form}")]
    words = [SpelledWord(text, (), tuple(its), ()) for text, its in zip(texts, tokens, strict=True)]
    words[0] = replace(
        words[0],
        text=opening + space + before + words[0].text,
        before=tuple(tokenizer.encode(f" {marks}")) if marks else (),
    )
    return [*words[:-1], _with_punctuation(tokenizer, words[-1], after)]


def _split_space(text: str) -> tuple[str, str]:
    word = text.lstrip()
    return text[: len(text) - len(word)], word


def _peel(word: str) -> tuple[str, str, str]:
    """Return the punctuation before a word, the word, and the punctuation after it."""
    inside = [index for index, character in enumerate(word) if _is_spoken(character)]
    first, end = inside[0], inside[-1] + 1
    return word[:first], word[first:end], word[end:]


def _is_spoken(character: str) -> bool:
    is_mark = category(character).startswith("M")
    return character.isalnum() or is_mark or character in f"{SYMBOLS}%"


def _pieces(tokenizer: Tokenizer, text: str) -> tuple[list[str], list[list[int]]]:
    """Divide a text as its tokens do; a mark stays with its letter."""
    texts, tokens = list[str](), list[list[int]]()
    for piece, part in zip(*tokenizer.split_tokens_on_unicode(tokenizer.encode(text)), strict=True):
        if texts and not piece[:1].isalnum():
            texts[-1] += piece
            tokens[-1] += part
        else:
            texts.append(piece)
            tokens.append(list(part))
    return texts, tokens


def _with_punctuation(tokenizer: Tokenizer, word: SpelledWord, marks: str) -> SpelledWord:
    if not marks:
        return word
    return replace(
        word, text=word.text + marks, after=(*word.after, *tokenizer.encode(marks.rstrip()))
    )
