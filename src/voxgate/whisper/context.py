"""`Context`: the tokens before a window's text, where Whisper expects the text of the sound before.

Here they are what the caller knows of the recording: its vocabulary, then the prompt, which is
nearest to the text as the text before would be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.whisper.model import MAX_TOKENS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faster_whisper.tokenizer import Tokenizer

MAX_CONTEXT_TOKENS = MAX_TOKENS // 2 - 1  # that openai/whisper takes
PROMPT_CHARACTERS = 8_000  # of a prompt's end that are tokenised: more than its tokens can hold


@dataclass(frozen=True, slots=True)
class Context:
    """The tokens before the text, and how much of the caller's words is among them."""

    tokens: tuple[int, ...] = ()
    words: frozenset[str] = frozenset()  # of the tokens, case-folded
    vocabulary_used: int = 0  # words
    prompt_is_cut: bool = False  # only its end is used

    def is_echoed_by(self, text: str) -> bool:
        """Return whether a text has no other words than those here."""
        return bool(self.words) and _words(text) <= self.words


def build_context(tokenizer: Tokenizer, vocabulary: Sequence[str], prompt: str) -> Context:
    """Return as many words of the vocabulary as fit, and as much of the prompt's end.

    Where both are long, each has half of the tokens.
    """
    text = prompt.strip()
    before = tokenizer.encode(f" {text[-PROMPT_CHARACTERS:]}") if text else []
    limit = MAX_CONTEXT_TOKENS - min(len(before), MAX_CONTEXT_TOKENS // 2)
    listed, used = _first_words(tokenizer, vocabulary, limit)
    room = MAX_CONTEXT_TOKENS - len(listed)
    is_cut = len(before) > room or len(text) > PROMPT_CHARACTERS
    tokens = [*listed, *before[-room:]]
    return Context(tuple(tokens), _words(tokenizer.decode(tokens)), used, is_cut)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))


def _first_words(
    tokenizer: Tokenizer, vocabulary: Sequence[str], limit: int
) -> tuple[list[int], int]:
    """Return the tokens of the words that fit, and how many words these are."""
    tokens = list[int]()
    for count, word in enumerate(vocabulary):
        more = tokenizer.encode(f", {word.strip()}" if tokens else f" {word.strip()}")
        if len(tokens) + len(more) > limit:
            return tokens, count
        tokens += more
    return tokens, len(vocabulary)
